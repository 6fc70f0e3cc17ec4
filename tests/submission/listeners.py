"""Servers of one trick, for what no web server does on purpose."""

import contextlib
import socket
import threading


@contextlib.contextmanager
def listener(answer):
    """A server that gives each connection to ``answer``; yields its port and what was heard."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    answer(server.accept()[0], heard)
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], heard


def hang_up(connection, heard):
    heard.append(connection.recv(4096))
    connection.close()


def echo(status):
    """A server that puts the request's token into the status line."""
    def answer(connection, heard):
        token = connection.recv(4096).partition(b"Authorization: ")[2].partition(b"\r\n")[0]
        connection.sendall(b"HTTP/1.1 %d %b\r\nContent-Length: 0\r\n\r\n" % (status, token))
        connection.close()
    return answer
