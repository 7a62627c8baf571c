package chain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// Anybody may send anything anywhere: a message with the method of a post to
// an address that nobody has is no post, and hides none.
func TestAMessageToNobodyHidesNoPosts(t *testing.T) {
	n := soundNode()
	nobody := fmt.Sprintf(`{"From":%q,"To":%q,"Nonce":7,"Value":"0","GasLimit":1,"GasFeeCap":"2","GasPremium":"1","Method":5,"Params":"gA=="}`, workerKey, workerKey)
	garbage := fmt.Sprintf(`{"From":%q,"To":"t01000","Nonce":8,"Value":"0","GasLimit":1,"GasFeeCap":"2","GasPremium":"1","Method":5,"Params":"gA=="}`, workerKey)
	post := fmt.Sprintf(`{"From":%q,"To":"t01000","Nonce":9,"Value":"0","GasLimit":1,"GasFeeCap":"2","GasPremium":"1","Method":5,"Params":"hQKBggBAgYIKQABA"}`, workerKey)
	n.answer("ChainGetParentMessages", fmt.Sprintf(`[{"Cid":{"/":%q},"Message":%s},{"Cid":{"/":%q},"Message":%s},{"Cid":{"/":%q},"Message":%s}]`,
		blockCID(5), nobody, blockCID(6), garbage, blockCID(7), post))
	n.answer("ChainGetParentReceipts", `[{"ExitCode":6,"GasUsed":5},{"ExitCode":20,"GasUsed":6},{"ExitCode":0,"GasUsed":7}]`)
	n.handle("StateLookupID", func([]json.RawMessage) (any, error) { return nil, errors.New("actor not found") })
	posts, err := dialNode(t, n).PostsBefore(t.Context(), 1000, someKey())
	if err != nil || len(posts) != 1 || posts[0].Message.String() != blockCID(7) || posts[0].Deadline != 2 || !posts[0].ExitCode.IsSuccess() {
		t.Errorf("%+v, %v", posts, err)
	}
}
