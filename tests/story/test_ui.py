"""The page: its paths, its headers, and where it is served."""
import gzip
import re

import pytest

UI_PATHS = ("/", "/calls/CA" + "0" * 32, "/health", "/settings", "/signed-out")
ELSEWHERE = ("/index.html", "/assets/", "/assets/none.js", "/assets/../index.html",
             "/embed/", "/favicon.ico", "/api/", "/api/nothing", "/webhooks/")


def test_every_path_of_the_page_gives_the_page_and_no_other_does(world):
    server = world.server()
    first = server.get("/")
    for path in UI_PATHS:
        page = server.get(path)
        assert page.status == 200 and page.body == first.body, (path, page)
        assert page.header("content-type") == "text/html; charset=utf-8", page
        assert server.call("HEAD", path).status == 200
        assert server.post(path).status == 405
    assert b'<base href="/">' in first.body
    for path in ELSEWHERE:
        answer = server.get(path)
        assert answer.status == 404 and answer.header("content-type") == "application/problem+json", (path, answer)
    moved = server.get("/calls")
    assert moved.status == 302 and moved.header("location") == "/"


def test_a_browser_is_told_by_the_page_that_there_is_nothing(world):
    server = world.server()
    browser = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    first = server.get("/")
    for path in ("/nowhere", "/nowhere/", "/settings/x", "/index.html"):
        answer = server.get(path, headers=browser)
        assert answer.status == 404 and answer.body == first.body, (path, answer)
        assert answer.header("content-type") == "text/html; charset=utf-8" and answer.header("cache-control") == "no-store"
        assert policy(answer) == policy(first) and answer.header("etag") is None
        head = server.call("HEAD", path, browser)
        assert head.status == 404 and head.body == b""
    for path in ("/api/nothing", "/webhooks/", "/assets/none.js"):
        assert server.get(path, headers=browser).header("content-type") == "application/problem+json"
    assert server.post("/nowhere", headers=browser).header("content-type") == "application/problem+json"


def test_a_page_with_a_slash_behind_it_is_found_without_it(world):
    call, recording = "CA" + "0" * 32, "RE" + "0" * 32
    for settings, base in (({}, ""), ({"PUBLIC_BASE_URL": "https://calls.example/reel/"}, "/reel")):
        server = world.server(**settings)
        for path in ("/health", "/settings", "/calls", "/signed-out", f"/calls/{call}", f"/embed/{recording}", "/signin"):
            for asked in (f"{path}/", f"{base}{path}/", f"{path}//"):
                moved = server.get(f"{asked}?t=83&x=%2F")
                assert moved.status == 308 and moved.header("location") == f"{base}{path}?t=83&x=%2F", (asked, moved)
            assert server.call("HEAD", f"{path}/").header("location") == base + path
            assert server.post(f"{path}/").status == 404
        for path in ("//health/", "/api/calls/", "/api/openapi.yaml/", "//calls.invalid/", "/nowhere/"):
            assert server.get(path).status == 404, path
        server.stop()


def policy(answer):
    return dict(part.strip().partition(" ")[::2] for part in answer.header("content-security-policy").split(";"))


def test_the_page_runs_no_script_but_its_own_and_is_framed_by_whom_the_settings_name(world):
    server = world.server()
    page = server.get("/")
    assert page.header("x-content-type-options") == "nosniff" and page.header("referrer-policy") == "no-referrer"
    assert page.header("cache-control") == "no-cache"
    rules = policy(page)
    assert rules["default-src"] == rules["script-src"] == rules["connect-src"] == "'self'"
    assert rules["object-src"] == "'none'" and rules["frame-ancestors"] == "'self'"
    assert not re.search(rb"<script(?![^>]*\bsrc=)", page.body)
    server.stop()
    server = world.server(FRAME_ANCESTORS="'self' https://crm.example")
    assert policy(server.get("/"))["frame-ancestors"] == "'self' https://crm.example"


@pytest.mark.sanitized
@pytest.mark.threads
def test_what_a_client_has_is_not_sent_again_and_text_is_compressed_for_who_takes_that(world):
    server = world.server()
    plain = server.get("/api/openapi.yaml")
    assert plain.status == 200 and plain.header("content-type") == "application/yaml"
    assert plain.body.startswith(b"openapi: 3.1") and plain.header("content-encoding") is None
    small = server.get("/api/openapi.yaml", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert small.header("content-encoding") == "gzip" and gzip.decompress(small.body) == plain.body
    assert len(small.body) < len(plain.body) / 3 and small.header("etag") != plain.header("etag")
    for answer in (plain, small):
        assert answer.header("vary") == "Accept-Encoding"
    for refused in ("gzip;q=0", "identity", "gzip;q=0.000, br", "xgzip"):
        assert server.get("/api/openapi.yaml", headers={"Accept-Encoding": refused}).body == plain.body
    again = server.get("/api/openapi.yaml", headers={"If-None-Match": plain.header("etag")})
    assert again.status == 304 and again.body == b"" and again.header("etag") == plain.header("etag")
    assert again.header("vary") == "Accept-Encoding"
    head = server.call("HEAD", "/api/openapi.yaml")
    assert head.body == b"" and head.header("content-length") == str(len(plain.body))


def test_below_a_path_the_page_is_served_with_it_and_without_and_knows_its_base(world):
    server = world.server(PUBLIC_BASE_URL="https://calls.example/reel/")
    for path in ("/", "/reel/", "/reel/health", "/calls/CA" + "0" * 32):
        page = server.get(path)
        assert page.status == 200 and b'<base href="/reel/">' in page.body, (path, page)
        assert b'<base href="/">' not in page.body
    moved = server.get("/reel")
    assert moved.status == 308 and moved.header("location") == "/reel/"
    assert server.get("/reel/api/openapi.yaml").status == 200
    assert server.get("/reelx").status == 404


def test_a_base_path_is_no_html(world):
    server = world.server(PUBLIC_BASE_URL='https://calls.example/a"><script>x()</script>&b')
    page = server.get("/")
    assert page.status == 200 and b'<base href="/a&quot;><script>x()</script>&amp;b/">' in page.body, page


def test_a_worker_serves_no_page(world):
    worker = world.server(role="worker")
    for path in ("/", "/api/openapi.yaml", "/callreel-player.js"):
        assert worker.get(path).status == 404


def kept_assets(**files):
    lines = "".join(f"assets/{name} {len(data)}\n" for name, data in files.items())
    return (lines + "\n").encode() + b"".join(files.values())


def test_a_tab_of_the_release_before_still_finds_its_assets_and_an_older_one_does_not(world):
    server = world.server()
    server.stop()
    last, before = world.data_dir / "page.assets", world.data_dir / "page.before.assets"
    own = last.read_bytes() if last.exists() else None  # a binary without the page keeps nothing
    last.write_bytes(kept_assets(**{"Old-1a2b.js": b"export default 1", "Old-3c4d.css": b".old {}"}))
    for _ in range(2):  # a restart of the same release changes nothing
        server = world.server()
        script, style = server.get("/assets/Old-1a2b.js"), server.get("/assets/Old-3c4d.css")
        assert (script.status, script.body, style.body) == (200, b"export default 1", b".old {}")
        assert script.header("content-type").startswith("text/javascript") and style.header("content-type").startswith("text/css")
        assert script.header("cache-control") == "public, max-age=31536000, immutable" and script.header("etag")
        assert server.get("/assets/Old-5e6f.js").status == 404 and server.get("/Old-1a2b.js").status == 404
        server.stop()
        assert own is None or (last.read_bytes(), before.exists()) == (own, True)
    last.write_bytes(kept_assets(**{"Next-7a8b.js": b"export default 2"}))
    server = world.server()
    assert server.get("/assets/Next-7a8b.js").status == 200 and server.get("/assets/Old-1a2b.js").status == 404


@pytest.mark.parametrize("damaged", [b"", b"\n", b"assets/a.js 5\n\nfour", b"assets/a.js 3\n\nfour", b"../etc/passwd 4\n\nfour", b"assets/a.js -1\n\n",
                                     b"assets/a.js\n\n", b"assets/a.js 4", b"\0" * 100, b"assets/a.js 99999999999999999999\n\n"])
def test_kept_assets_that_are_damaged_are_not_served(world, damaged):
    world.server().stop()
    (world.data_dir / "page.assets").write_bytes(damaged)
    server = world.server()
    assert server.get("/").status == 200 and server.get("/assets/a.js").status == 404
