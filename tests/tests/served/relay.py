"""psql by a connection that is made in some other way than psql makes its own.

usage: relay.py WAY V4 V6 PORT SQL    psql's environment says as whom and to which database

psql talks to a socket of the file system; what it says goes on by the connection. Prints what psql prints, and then
whether getpeername answers with the address that was asked for.
"""

import ctypes
import mmap
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

WAY, V4, V6, PORT, SQL = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, MPTCP = 0x20000000, 30, 262
libc = ctypes.CDLL(None, use_errno=True)


def tcp(family=socket.AF_INET, protocol=0):
    return socket.socket(family, socket.SOCK_STREAM, protocol)


def connected(s, to, first):
    s.connect(to)
    s.sendall(first)
    return s, to


def tcp4(first):
    return connected(tcp(), (V4, PORT), first)


def tcp6(first):
    return connected(tcp(socket.AF_INET6), (V6, PORT), first)


def tcp_mapped(first):
    return connected(tcp(socket.AF_INET6), ("::ffff:" + V4, PORT), first)


def route(word):
    said = subprocess.run(["ip", "-o", "route", "get", V4], capture_output=True, text=True, check=True).stdout
    return said.split(" %s " % word)[1].split()[0]


def bound_address(first):
    s = tcp()
    s.bind((route("src"), 0))
    return connected(s, (V4, PORT), first)


def bound_device(first):
    s = tcp()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, route("dev").encode() + b"\0")
    return connected(s, (V4, PORT), first)


def fastopen(first):
    s = tcp()
    s.sendto(first, MSG_FASTOPEN, (V4, PORT))
    return s, (V4, PORT)


def fastopen6(first):
    s = tcp(socket.AF_INET6)
    s.sendto(first, MSG_FASTOPEN, (V6, PORT))
    return s, (V6, PORT)


def fastopen_connect(first):
    s = tcp()
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    return connected(s, (V4, PORT), first)


def mptcp(first):
    return connected(tcp(protocol=MPTCP), (V4, PORT), first)


def mptcp6(first):
    return connected(tcp(socket.AF_INET6, MPTCP), (V6, PORT), first)


def uring(sqpoll, first):
    """io_uring's connect, by its system calls: setup 425, enter 426."""
    s = tcp()
    params = bytearray(120)
    if sqpoll:
        struct.pack_into("I4xI", params, 8, 2, 1000)
    ring = libc.syscall(425, 8, (ctypes.c_char * 120).from_buffer(params))
    if ring < 0:
        sys.exit("io_uring_setup: errno %d" % ctypes.get_errno())
    (entries,) = struct.unpack_from("I", params, 0)
    sq_tail, sq_array = struct.unpack_from("I", params, 44)[0], struct.unpack_from("I", params, 64)[0]
    sq = mmap.mmap(ring, sq_array + entries * 4, offset=0)
    sqes = mmap.mmap(ring, entries * 64, offset=0x10000000)
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(PORT), socket.inet_aton(V4))
    held = ctypes.create_string_buffer(address, len(address))
    struct.pack_into("=BBHiQQIIQ", sqes, 0, 16, 0, 0, s.fileno(), len(address), ctypes.addressof(held), 0, 0, 1)
    struct.pack_into("I", sq, sq_array, 0)
    struct.pack_into("I", sq, sq_tail, 1)
    # Until the one completion is there.
    if libc.syscall(426, ring, 0 if sqpoll else 1, 1, 3 if sqpoll else 1, None, 0) < 0:
        sys.exit("io_uring_enter: errno %d" % ctypes.get_errno())
    s.sendall(first)
    return s, (V4, PORT)


def uring_connect(first):
    return uring(False, first)


def uring_sqpoll(first):
    return uring(True, first)


def pump(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


with tempfile.TemporaryDirectory() as folder:
    near = socket.socket(socket.AF_UNIX)
    near.bind(os.path.join(folder, ".s.PGSQL.%d" % PORT))
    near.listen()
    psql = subprocess.Popen(
        ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", str(PORT), "-c", SQL],
        env={**os.environ, "PGCONNECT_TIMEOUT": "20"},
    )
    client = near.accept()[0]
    server, asked = globals()[WAY](client.recv(65536))
    peer = server.getpeername()[:2]
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)
    code = psql.wait()
print("peer", peer == asked, *peer, flush=True)
sys.exit(code)
