"""Says what the AWS CLI would sign with: for each line of JSON, with the texts of the AWS files, the
profile and the environment, one line with a sum of it, or null where the CLI refuses.

It asks the CLI's own chain of providers; a stand-in for AWS answers with a sum of what it is asked."""
import hashlib
import json
import os
import sys
import tempfile

import awscli  # noqa: F401  makes its botocore the one that is imported
import botocore.configloader
import botocore.credentials
import botocore.session

FAR = "2099-01-01T00:00:00Z"


def sum_of(*parts):
    return hashlib.sha1(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class Client:
    def __init__(self, service, **settings):
        self.caller = {k: v for k, v in settings.items() if k.startswith("aws_")}
        config = settings.get("config")
        self.region = config.region_name if config else None

    def answer(self, operation, asked):
        if asked.get("RoleSessionName", "").startswith("botocore-session-"):
            del asked["RoleSessionName"]  # it has the time in it
        key = sum_of(operation, self.caller, self.region, asked)
        return {"AccessKeyId": key, "SecretAccessKey": key, "SessionToken": key, "Expiration": FAR}

    def assume_role(self, **asked):
        return {"Credentials": self.answer("role", asked)}

    def assume_role_with_web_identity(self, **asked):
        return {"Credentials": self.answer("web", asked)}

    def get_role_credentials(self, **asked):
        key = self.answer("sso", asked)["AccessKeyId"]
        return {"roleCredentials": {
            "accessKeyId": key, "secretAccessKey": key, "sessionToken": key, "expiration": 4070908800000,
        }}


class Session(botocore.session.Session):
    def create_client(self, service, *_, **settings):
        return Client(service, **settings)


class Process:
    """A credential_process: its keys are a sum of its words."""

    def __init__(self, words, **_):
        self.words, self.returncode = words, 0

    def communicate(self):
        key = sum_of("process", self.words)
        return json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": key}).encode(), b""


class Token:
    """An SSO session's token: a sum of the session."""

    def __init__(self, session):
        self.session = session

    def load_token(self):
        config = self.session.full_config
        profile = config["profiles"].get(self.session.get_config_variable("profile") or "default", {})
        name = profile.get("sso_session")
        section = config["sso_sessions"].get(name, {})
        self.token = sum_of("token", name, section.get("sso_start_url"), section.get("sso_region"))
        return self

    def get_frozen_token(self):
        return self


def signs(case, folder):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(case["env"])
    for name in ("config", "credentials"):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(case[name])
        os.environ[{"config": "AWS_CONFIG_FILE", "credentials": "AWS_SHARED_CREDENTIALS_FILE"}[name]] = path
    session = Session(profile=case["profile"] or None, include_builtin_handlers=False)
    session.full_config  # refuses a file that it can't read
    if session.get_config_variable("profile"):
        session.get_scoped_config()  # refuses a profile that isn't there
    found = botocore.credentials.create_credential_resolver(session).load_credentials()
    if found is None:
        return None
    found = found.get_frozen_credentials()
    return sum_of(found.access_key, found.secret_key, found.token)


def main():
    botocore.credentials.SSOTokenProvider = Token
    botocore.credentials.SSOTokenLoader = lambda **_: lambda url: {"accessToken": sum_of("token", url)}
    botocore.credentials.ProcessProvider.__init__.__defaults__ = (Process,)
    botocore.credentials.InstanceMetadataProvider.load = lambda self: None
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            try:
                result = signs(json.loads(line), folder)
            except Exception:
                result = None
            print(json.dumps(result), flush=True)


main()
