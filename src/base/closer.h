/* closer.h - closes files for threads that must not wait. Thread rule: any thread.
 *
 * Closing is quick, but for the last descriptor of a file that was removed: its bytes are given back then, and on a volume that
 * does not answer that waits. So a thread of its own closes what came from a volume. */
#pragma once

/* Takes fd over; -1 is fine. */
void closer_close(int fd);
