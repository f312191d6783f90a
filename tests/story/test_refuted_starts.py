"""What was once wrong with processes that start."""
from callreel import eventually


def test_many_first_starts_at_once_agree(world, provider):
    """On an empty directory: one makes database, key and store, and no other finds them half made."""
    servers = [world.launch(f"server{n}") for n in range(5)]
    for server in servers:
        server.wait_listening()
    business = world.business(provider)
    tape = provider.tape()
    business.tell(servers[0], tape)
    world.wait_state(tape.sid)
    for server in servers:
        eventually(lambda: server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).status == 200)
    assert len(world.sql("select 1 from settings where name = 'store_id'")) == 1 and tape.downloads == 1
