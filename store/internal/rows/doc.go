// Package rows is the store's SQL as Go functions, written by sqlc from
// store/queries and store/migrations so that a query and the types it is used
// with cannot drift apart. Only doc.go is written by hand.
package rows
