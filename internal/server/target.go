package server

// Target is all that a token depends on. Two equal targets have interchangeable tokens.
type Target struct {
	Host            string `json:"host"` // normalised: the signature is case-sensitive
	Port            int    `json:"port"`
	User            string `json:"user"`
	Region          string `json:"region"`
	Profile         string `json:"profile,omitempty"` // "": the AWS CLI's own order decides
	RoleARN         string `json:"role_arn,omitempty"`
	ExternalID      string `json:"external_id,omitempty"`
	RoleSessionName string `json:"role_session_name,omitempty"`
}
