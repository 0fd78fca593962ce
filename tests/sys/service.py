"""A service manager for tests: hands sockets over, hears notifications, starts a pool for each connection.
usage: service.py exec UNIX PROGRAM ARGUMENT…   becomes PROGRAM with UNIX and a TCP port of loopback as descriptors 3 and 4
       service.py notify SOCKET FILE            appends what it is told
       service.py starter SOCKET PROGRAM STATE  a pool for each connection, which is its descriptor 3"""
import os
import socket
import sys


def stream(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(16)
    return s


def main(what, *args):
    if what == "exec":
        unix = stream(args[0])
        tcp = socket.socket()
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(16)
        print("port", tcp.getsockname()[1], flush=True)
        high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate((unix, tcp))]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
            os.close(fd)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="api:tcp")
        os.execv(args[1], list(args[1:]))
    if what == "notify":
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(args[0])
        with open(args[1], "a", encoding="utf-8") as out:
            while True:
                out.write(s.recv(4096).decode().replace("\n", " ") + "\n")
                out.flush()
    if what == "starter":
        s = stream(args[0])
        while True:
            c, _ = s.accept()
            if os.fork() == 0:
                os.dup2(c.fileno(), 3)
                os.execv(args[1], [args[1], "--state", args[2], "--ready-fd", "3"])
            c.close()


main(*sys.argv[1:])
