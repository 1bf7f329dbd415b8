"""Runs commands of the AWS CLI, each in a fork of this process, which has imported it.

Starting the CLI takes a second, of which all but a few milliseconds is importing it. Reads
requests from stdin, a line of JSON each: {"env": {...}, "dir": "...", "args": [...]}, and answers
each with a line: {"code": 0, "stdout": "...", "stderr": "..."}. The first line is the CLI's
version. The CLI's own code runs, unchanged; only what it worked out from HOME when it was imported
is worked out anew.
"""
import gc
import inspect
import json
import os
import signal
import sys
import tempfile
import threading
from unittest import mock

BEFORE = dict(os.environ)
import awscli
import awscli.clidriver
import botocore.session

HOME = os.environ["HOME"]  # a path that nothing else begins with
# What the CLI sets when it is imported: where its data is.
ADDED = {name: value for name, value in os.environ.items() if BEFORE.get(name) != value}


def warm():
    """Import what a command imports when it runs."""
    os.environ.update(AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="s", AWS_DEFAULT_REGION="eu-west-1")
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    sys.argv = ["aws", "configure", "export-credentials"]
    # The common runtime's logger is a thread, and waits for it for ever in a fork.
    with mock.patch("awscrt.io.init_logging"):
        awscli.clidriver.main()
    sys.stdout.flush()
    os.dup2(kept, 1)
    session = botocore.session.Session()
    for service in ("sts", "sso", "sso-oidc"):
        session.create_client(service)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join()  # a fork has none of them


def home_paths():
    """Find what depends on HOME: ways to set it again, given another home."""
    found = []

    def text(value, home):
        return home + value[len(HOME):]

    def stands(value):
        return isinstance(value, str) and value.startswith(HOME)

    def attribute(owner, name, value):
        found.append(lambda home: setattr(owner, name, text(value, home)))

    def function(f):
        if f.__defaults__ and any(stands(d) for d in f.__defaults__):
            old = f.__defaults__
            found.append(lambda home: setattr(
                f, "__defaults__", tuple(text(d, home) if stands(d) else d for d in old)))

    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith(("awscli", "botocore")):
            continue
        for name, value in list(vars(module).items()):
            if stands(value):
                attribute(module, name, value)
            elif inspect.isfunction(value):
                function(value)
            elif inspect.isclass(value) and value.__module__ == module_name:
                for inner, member in list(vars(value).items()):
                    if stands(member):
                        attribute(value, inner, member)
                    elif inspect.isfunction(member):
                        function(member)
    return found


def child(request, out, err, paths):
    os.setsid()  # no terminal to ask on
    signal.alarm(30)
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, to in ((null, 0), (out, 1), (err, 2)):
        os.dup2(fd, to)
    os.environ.clear()
    os.environ.update(request["env"] | ADDED)
    os.chdir(request["dir"])
    for path in paths:
        path(request["env"]["HOME"])
    sys.argv = ["aws"] + request["args"]
    return awscli.clidriver.main()


def answer(request, paths):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = child(request, out.fileno(), err.fileno(), paths)
            except SystemExit as e:
                code = e.code
            except BaseException:  # as the interpreter does, at the end of a program
                sys.excepthook(*sys.exc_info())
            finally:
                try:
                    sys.stdout.flush()
                    sys.stderr.flush()
                finally:
                    os._exit(code if isinstance(code, int) else 1)
        _, status = os.waitpid(pid, 0)
        out.seek(0)
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "stdout": out.read().decode("utf-8", "replace"),
            "stderr": err.read().decode("utf-8", "replace"),
        }


def main():
    warm()
    paths = home_paths()
    gc.freeze()  # so that a fork needn't copy what it only looks through
    print(json.dumps(awscli.__version__), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), paths)), flush=True)


main()
