// Calls methods of a gRPC server with empty messages, one after the other, and prints each status: code and message.
//
//	go_client ADDRESS METHOD...
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// raw passes messages on as bytes.
type raw struct{}

func (raw) Marshal(message interface{}) ([]byte, error) { return *(message.(*[]byte)), nil }

func (raw) Unmarshal(content []byte, message interface{}) error {
	*(message.(*[]byte)) = content
	return nil
}

func (raw) Name() string { return "raw" }

func (raw) String() string { return "raw" }

func main() {
	connection, err := grpc.Dial(os.Args[1], grpc.WithInsecure(), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		panic(err)
	}
	for _, method := range os.Args[2:] {
		var request, response []byte
		deadline, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		answer, _ := status.FromError(connection.Invoke(deadline, method, &request, &response))
		fmt.Printf("%s: %s\n", answer.Code(), answer.Message())
		cancel()
	}
}
