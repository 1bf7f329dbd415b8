package managed

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mysql-secret-store-rds/internal/about"
)

// The SDK's own client of Secrets Manager takes a third of a millisecond to be initialised at each
// start of the program, a twentieth of what it takes to sign a token. This is its one operation,
// put together of the SDK's parts; a test compares the addresses with the client's.

const (
	service   = "Secrets Manager"
	operation = "GetSecretValue"
)

// value is what GetSecretValue answers (Secrets Manager API reference).
type value struct {
	SecretString *string
	SecretBinary []byte
}

// getSecretValue asks for the version of a secret that has a stage. Errors are as the SDK's clients
// have them.
func getSecretValue(ctx context.Context, cfg aws.Config, id, stage string) (value, error) {
	body, err := json.Marshal(map[string]string{"SecretId": id, "VersionStage": stage})
	if err != nil {
		return value{}, err
	}
	address, err := endpoint(ctx, cfg)
	if err != nil {
		return value{}, err
	}
	stack := middleware.NewStack(operation, smithyhttp.NewStackRequest)
	retryer := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = cmp.Or(cfg.RetryMaxAttempts, retry.DefaultMaxAttempts)
	})
	add := []error{
		stack.Serialize.Add(write(address, body), middleware.After),
		awsmiddleware.AddUserAgentKey(about.Name)(stack),
		stack.Finalize.Add(retry.NewAttemptMiddleware(retryer, smithyhttp.RequestCloner), middleware.After),
		stack.Finalize.Add(sign(cfg, body), middleware.After), // each attempt
		stack.Deserialize.Add(read, middleware.After),
	}
	for _, option := range cfg.APIOptions {
		add = append(add, option(stack))
	}
	for _, err := range add {
		if err != nil {
			return value{}, err
		}
	}
	handler := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(cfg.HTTPClient), stack)
	out, _, err := handler.Handle(middleware.ClearStackValues(ctx), nil)
	if err != nil {
		return value{}, &smithy.OperationError{ServiceID: service, OperationName: operation, Err: err}
	}
	return out.(value), nil
}

// write makes the request: JSON 1.1 of AWS (Smithy, "AWS JSON 1.1 protocol").
func write(address string, body []byte) middleware.SerializeMiddleware {
	return middleware.SerializeMiddlewareFunc("Write", func(
		ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
	) (out middleware.SerializeOutput, metadata middleware.Metadata, err error) {
		request := in.Request.(*smithyhttp.Request)
		target, err := http.NewRequest(http.MethodPost, address, nil)
		if err != nil {
			return out, metadata, err
		}
		request.Method, request.URL = target.Method, target.URL
		request.URL.Path = cmp.Or(request.URL.Path, "/")
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		request.Header.Set("X-Amz-Target", "secretsmanager."+operation)
		if request, err = request.SetStream(bytes.NewReader(body)); err != nil {
			return out, metadata, err
		}
		request.ContentLength = int64(len(body))
		in.Request = request
		return next.HandleSerialize(ctx, in)
	})
}

// sign signs the request (IAM user guide, "AWS Signature Version 4 for API requests").
func sign(cfg aws.Config, body []byte) middleware.FinalizeMiddleware {
	signer, sum := v4.NewSigner(), sha256.Sum256(body)
	return middleware.FinalizeMiddlewareFunc("Sign", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
		keys, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return out, metadata, err
		}
		request := in.Request.(*smithyhttp.Request)
		err = signer.SignHTTP(ctx, keys, request.Request, hex.EncodeToString(sum[:]), "secretsmanager", cfg.Region,
			time.Now())
		if err != nil {
			return out, metadata, fmt.Errorf("sign: %w", err)
		}
		return next.HandleFinalize(ctx, in)
	})
}

// read reads the answer, or the error.
var read = middleware.DeserializeMiddlewareFunc("Read", func(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok {
		return out, metadata, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return out, metadata, &smithy.DeserializationError{Err: err}
	}
	if response.StatusCode != http.StatusOK {
		return out, metadata, &awshttp.ResponseError{
			ResponseError: &smithyhttp.ResponseError{Response: response, Err: answered(response, text)},
			RequestID:     response.Header.Get("X-Amzn-Requestid"),
		}
	}
	var v value
	if json.Unmarshal(text, &v) != nil { // the error might quote the secret
		err := fmt.Errorf("the answer is no JSON that %s gives", service)
		return out, metadata, &smithy.DeserializationError{Err: err}
	}
	out.Result = v
	return out, metadata, nil
})

// answered is the error of an answer.
func answered(response *smithyhttp.Response, text []byte) error {
	var said struct {
		Type    string `json:"__type"`
		Message string // in any letter case
	}
	_ = json.Unmarshal(text, &said) // whatever else answers has a status
	code := cmp.Or(response.Header.Get("X-Amzn-Errortype"), said.Type)
	if at := strings.LastIndexByte(code, '#'); at >= 0 {
		code = code[at+1:]
	}
	code, _, _ = strings.Cut(code, ":")
	return &smithy.GenericAPIError{
		Code: cmp.Or(code, http.StatusText(response.StatusCode)), Message: said.Message,
	}
}
