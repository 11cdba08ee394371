"""Runs LocalStack's Lambda functions as Node.js processes of the host, without Docker.

LocalStack loads it when LAMBDA_RUNTIME_EXECUTOR=node-process. Between the two stands the Lambda Runtime API: the
process asks for its next invocation, and posts its response. One process serves one invocation at a time, and one
that dies or takes too long is replaced for the next invocation, as on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

NODE_PROCESS_COMMAND says what is run: a JSON array, a program that speaks the Runtime API and its arguments.
"""

import json
import os
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor


class NodeProcessExecutor(RuntimeExecutor):
    def start(self, env_vars):
        self.code = self.function_version.config.code.get_unzipped_code_location()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _runtime_api(self))
        Thread(target=self.server.serve_forever, daemon=True).start()
        # On AWS the code lies in /var/task; every variable that says so has to say where it lies here.
        self.env = {name: str(value).replace("/var/task", str(self.code)) for name, value in env_vars.items()}
        self.env["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{self.server.server_port}"
        # LocalStack sets ":UTC", which Node.js does not know.
        self.env["TZ"] = "UTC"
        self.log_path = f"{config.dirs.logs}/{self.function_version.id.function_name}-{self.id[:8]}.log"
        self._start_process()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()

    def invoke(self, payload):
        if self.process.poll() is not None:
            self._start_process()
        log_start = os.path.getsize(self.log_path)
        deadline = time.time() + self.function_version.config.timeout
        self.invocations.put((payload, deadline))
        is_error, body = self._result(deadline)
        return InvocationResult(payload["invoke-id"], body, is_error, logs=self.get_logs(log_start))

    def _start_process(self):
        self.invocations = Queue()
        self.results = Queue()
        with open(self.log_path, "a") as log:
            command = json.loads(os.environ["NODE_PROCESS_COMMAND"])
            self.process = subprocess.Popen(command, cwd=self.code, env=self.env, stdout=log, stderr=log)

    def _result(self, deadline):
        """Whether it is an error, and its body. Afterwards the process is ready for the next invocation, or dead."""
        while time.time() < deadline:
            exit_code = self.process.poll()
            try:
                return self.results.get(timeout=0.05)
            except Empty:
                if exit_code is not None:
                    return True, _error("Runtime.ExitError", f"exited with {exit_code}")
        self.process.kill()
        self.process.wait()
        return True, _error("Sandbox.Timedout", "took too long")

    def get_logs(self, start=0):
        with open(self.log_path) as log:
            log.seek(start)
            return log.read()

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        # As in the queues' URLs.
        return "localhost"

    def get_runtime_endpoint(self):
        # For LocalStack's own init program, which has no part in this.
        return ""

    @classmethod
    def prepare_version(cls, function_version):
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass


class NodeProcessExecutorPlugin(RuntimeExecutorPlugin):
    name = "node-process"

    def load(self, *_args, **_kwargs):
        return NodeProcessExecutor


def _error(error_type, message):
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _runtime_api(executor):
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            payload, deadline = executor.invocations.get()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", payload["invoke-id"])
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", payload["invoked-function-arn"])
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
            self._finish(payload["payload"].encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            executor.results.put((self.path.endswith("/error"), body))
            self.send_response(202)
            self._finish(b"")

        def _finish(self, body):
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    return RuntimeApi
