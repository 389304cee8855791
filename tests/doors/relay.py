"""Plain HTTP on this machine, TLS to the simulated Proxmox VE: what runtimes need that trust public authorities only.

relay.py HOST PORT CA_FILE    prints the port that it listens on
"""

import socket
import ssl
import sys
import threading


def pump(source, sink):
    """Moves bytes until one side is through."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(host, port, ca_file):
    trust = ssl.create_default_context(cafile=ca_file)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        near, _ = listener.accept()
        try:
            far = trust.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
        except OSError:
            near.close()
            continue
        threading.Thread(target=pump, args=(near, far), daemon=True).start()
        threading.Thread(target=pump, args=(far, near), daemon=True).start()


if __name__ == "__main__":
    serve(*sys.argv[1:])
