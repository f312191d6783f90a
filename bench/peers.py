"""The servers that callreel is compared with; each is started only for the bench."""
import contextlib
import os
import shutil
from pathlib import Path

from stage import BUILD, Failed, SERVER_CORES, children, eventually, free_port, port_in, process

# tcp_nopush and tcp_nodelay, on and off; without and with its cache of open files.
SETTINGS = {f"nopush {push}, nodelay {delay}": f"tcp_nopush {push}; tcp_nodelay {delay};"
            for push in ("on", "off") for delay in ("on", "off")}
GOOD = SETTINGS["nopush on, nodelay on"]
FILE_CACHE = "open_file_cache max=1000 inactive=60s;"


def program(name):
    found = shutil.which(name) or next((p for p in (f"/usr/sbin/{name}",) if os.access(p, os.X_OK)), None)
    if not found:
        raise Failed(f"{name} is not installed")
    return found


def nginx_configuration(directory, port, http, server):
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""daemon off; {user} worker_processes {len(SERVER_CORES)}; worker_rlimit_nofile 30000;
pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 14000; multi_accept on; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000000; types {{ }} default_type audio/mpeg;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  {http}
  server {{ listen 127.0.0.1:{port} backlog=4096; {server} }}
}}
"""


@contextlib.contextmanager
def nginx(directory, http, server):
    """Its port and its workers."""
    directory.mkdir()
    port = free_port()
    (directory / "nginx.conf").write_text(nginx_configuration(directory, port, http, server))
    with process([program("nginx"), "-e", directory / "error.log", "-p", directory, "-c", directory / "nginx.conf"],
                 directory / "log") as child:
        eventually(lambda: child.poll() is None and children(child.pid), "nginx has workers", 20)
        yield port, children(child.pid)


def nginx_static(directory, root, options, status):
    """Files, and a constant answer without any."""
    text = status.decode().replace("\\", "\\\\").replace("'", "\\'")
    return nginx(directory, options, f"root {root}; location = /constant {{ default_type application/json; "
                                     f"return 200 '{text}'; }}")


@contextlib.contextmanager
def floor(log, path, size, status):
    """The cost of the kernel alone."""
    with process([BUILD / "bench/bench_floor", path, size, status], log) as child:
        yield port_in(log, r"port=([0-9]+)"), [child.pid]


@contextlib.contextmanager
def nginx_asking(directory, root, authorization, options, kept):
    """auth_request to a service that decides: as nginx's manual has it, or over connections that are kept."""
    log = directory.with_suffix(".decider")
    with process([BUILD / "bench/bench_decider", authorization], log) as decider:
        keep = "keepalive 256; keepalive_requests 1000000000;" if kept else ""
        upstream = f"upstream decider {{ server 127.0.0.1:{port_in(log, r'port=([0-9]+)')}; {keep} }}"
        keep = 'proxy_set_header Connection ""; proxy_http_version 1.1;' if kept else ""
        server = f"""root {root}; auth_request /decide;
            location = /decide {{ internal; auth_request off; proxy_pass http://decider; proxy_pass_request_body off;
                proxy_set_header Content-Length ""; {keep} }}"""
        with nginx(directory, options + upstream, server) as (port, pids):
            yield port, [*pids, decider.pid]


def nginx_cache(directory, origin, options, headers="", slices=False):
    """proxy_cache with its lock, which holds late joiners as long as it takes, by whole files or by slices of 1 MiB."""
    key = 'slice 1m; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range;' if slices else \
        "proxy_cache_key $uri;"
    server = f"""location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache kept; {key} proxy_cache_lock on;
        proxy_cache_lock_timeout 120s; proxy_cache_lock_age 120s; proxy_cache_valid 200 206 1h; proxy_http_version 1.1;
        proxy_set_header Connection ""; {headers} }}"""
    return nginx(directory, f"{options} proxy_cache_path {directory}/kept levels=1:2 keys_zone=kept:10m;", server)


VCL = """vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{origin}"; .first_byte_timeout = 120s; .between_bytes_timeout = 120s; }}
sub vcl_recv {{ unset req.http.Authorization; return (hash); }}
sub vcl_backend_fetch {{ {fetch} }}
sub vcl_backend_response {{ set beresp.ttl = 1h; set beresp.do_stream = true; return (deliver); }}
"""


@contextlib.contextmanager
def varnish(directory, origin, fetch=""):
    directory.mkdir()
    port = free_port()
    (directory / "bench.vcl").write_text(VCL.format(origin=origin, fetch=fetch))
    with process([program("varnishd"), "-F", "-j", "none", "-n", directory / "work", "-a", f"127.0.0.1:{port}", "-f",
                  directory / "bench.vcl", "-s", "malloc,512m", "-p", "thread_pool_max=2500"], directory / "log",
                 {"PATH": os.environ["PATH"], "TMPDIR": str(directory)}) as child:
        eventually(lambda: child.poll() is None and listens(port), "Varnish listens", 30)
        yield port, [child.pid, *children(child.pid)]


def listens(port):
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
               for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
