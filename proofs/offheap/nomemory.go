package offheap

import "errors"

// ErrNoMemory says that the system has not as much memory as was asked for.
var ErrNoMemory = errors.New("the system gives no more memory")
