/* main.c - callreel COMMAND [OPTIONS]: the table of commands; finds one, reads --config and --json, and runs it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "cmd/cmd.h"

const struct cmd cmd_table[] = {
    {"serve", "serve the API and the page, fill recordings",
     "callreel serve [--role all|web|worker] [--shadow] [--config FILE]\n\n"
     "Serves until SIGTERM or SIGINT. Requests and fills that run then get DRAIN_TIMEOUT seconds to end.\n"
     "  --role all      API, page and fills (the default)\n"
     "  --role web      API and page; another process does the fills\n"
     "  --role worker   fills, health checks and metrics\n"
     "  --shadow        a trial beside another system: accepts copies of its webhooks, checked against the URL in the\n"
     "                  header X-Callreel-Signed-URL; deletes nothing at the provider\n\n"
     "Settings are environment variables, or NAME=value lines of the file given by --config:\n\n",
     cmd_serve},
    {"migrate", "bring the database's schema up to date",
     "callreel migrate [--from sqlite:///PATH] [--config FILE] [--json]\n\n"
     "Creates the database if there is none, and runs the migrations that its schema lacks.\n"
     "  --from   moves an installation: copies all rows of that SQLite database into DATABASE_URL, which must be an "
     "empty\n"
     "           schema of PostgreSQL, and compares their counts. No process may serve either. The SQLite database is "
     "not\n"
     "           changed; recordings stay where they are. If a move is interrupted, run it again to continue it.\n",
     cmd_migrate},
    {"business", "add, list, change or remove a business",
     "callreel business add --name N [--id N] [--account-sid AC... --auth-token-file F [--auth-token-file F]]\n"
     "                      [--api-key SK... --api-secret-file F] [--base-url URL] [--number +E164]...\n"
     "                      [--retention DAYS|never|default] [--retention-metadata DAYS|never]\n"
     "                      [--transcribe all|asked|never|default] [--language L] [--vocabulary F]\n"
     "callreel business list [--json]\n"
     "callreel business set ID [--name N] [--account-sid AC...] [--auth-token-file F [--auth-token-file F]]\n"
     "                      [--api-key SK... --api-secret-file F] [--base-url URL] [--number +E164]...\n"
     "                      [--retention DAYS|never|default] [--retention-metadata DAYS|never]\n"
     "                      [--transcribe all|asked|never|default] [--language L] [--vocabulary F]\n"
     "callreel business remove ID [--purge [--despite-holds]]\n\n"
     "A second --auth-token-file is the other token during a rotation: webhooks signed with either are accepted, the\n"
     "first is used to fetch. Only their owner may be able to read secret files. remove ends the business's keys,\n"
     "fills and webhooks; its rows and files stay until --purge.\n"
     "Legal holds stop --purge, unless --despite-holds is given.\n"
     "  --retention  days after a call's start until its recordings expire; default: RETENTION_DAYS\n"
     "  --retention-metadata  days until the call is removed too, with all that is known of it; default: never\n"
     "  --transcribe which recordings become text: all, the default if there is a speech engine; asked: those\n"
     "               that somebody asks for; never: none\n"
     "  --language   of its calls: he, en, iw-IL; auto: the engine finds it; default: SPEECH_LANGUAGE\n"
     "  --vocabulary a file of names and words, up to 2,000 bytes, that the speech engine is told to expect\n",
     cmd_business},
    {"key", "create, list or revoke API keys",
     "callreel key create --business ID [--role viewer|agent|admin] [--name TEXT] [--expires TIME] [--json]\n"
     "callreel key create --platform [--name TEXT] [--expires TIME] [--json]\n"
     "callreel key list [--business ID] [--json]\n"
     "callreel key revoke KEY_ID\n\n"
     "The key is shown once, when it is created. A platform key acts as admin of the business that the header\n"
     "X-Business-Id names. --expires is a time like 2027-01-31T00:00:00Z. list shows when a key was last used, to an "
     "hour.\n",
     cmd_key},
    {"status", "what waits, what is being filled, what failed",
     "callreel status [--business ID] [--watch] [--json]\n\n"
     "--watch runs until q or Ctrl-C: on a terminal it repaints twice a second, else it prints at each change.\n",
     cmd_status},
    {"fetch", "fetch one recording now and print its path",
     "callreel fetch ID [--business ID] [--force]\n\n"
     "ID is a recording's or a call's SID. A running worker fetches it if there is one,\n"
     "else this command does. Prints the file's path. --force asks the provider even\n"
     "where it reported that there is no audio.\n",
     cmd_fetch},
    {"retry", "try failed recordings again",
     "callreel retry [--business ID] [--code CODE] [--since TIME] [--force] [--json]\n\n"
     "Recordings that the provider reported as absent are retried only with --force, and keep their reason.\n",
     cmd_retry},
    {"prune", "expire recordings whose retention is over",
     "callreel prune [--dry-run] [--older-than DAYS] [--business ID] [--json]\n\n"
     "Lists the recordings whose retention is over, and makes them expire: they can't be played or fetched again. The\n"
     "workers of a running server do so by themselves, once a minute, and remove the files. Recordings under a legal\n"
     "hold stay.\n"
     "  --dry-run       only lists: which recordings would expire, how many, how many bytes\n"
     "  --older-than    all recordings whose call began more than DAYS days ago, whatever their business's retention\n",
     cmd_prune},
    {"transcribe", "transcribe one recording, or all since a time",
     "callreel transcribe ID [--missing] [--business ID] [--dry-run] [--json]\n"
     "callreel transcribe --since TIME [--missing] [--business ID] [--dry-run] [--json]\n\n"
     "Prints how many minutes of audio they have, and the highest cost by SPEECH_PRICE; then queues them for the "
     "speech\n"
     "engine. ID is a recording's or a call's SID; --since takes all recordings whose call began then or later.\n"
     "  --missing   leaves out recordings that have a transcript. Without it they are transcribed again, and the "
     "earlier\n"
     "              transcript stays as a version\n"
     "  --dry-run   prints the minutes and the cost, and queues nothing\n",
     cmd_transcribe},
    {"signin", "print a link that signs somebody in",
     "callreel signin --business ID [--role viewer|agent|admin] [--json]\n\nThe link works once, within 10 minutes.\n",
     cmd_signin},
    {"session", "list or end sessions and sign-in links",
     "callreel session list --business ID [--json]\n"
     "callreel session revoke SESSION_ID | --business ID\n\n"
     "A session that is revoked is refused within 2 s, and its open event streams end. --business revokes all "
     "sessions\n"
     "and unused links of the business. Revoking a key ends the sessions that it made.\n",
     cmd_session},
    {"url", "list or revoke signed URLs",
     "callreel url list --business ID [--json]\n"
     "callreel url revoke URL_ID | --business ID\n\n"
     "The log shows a URL_ID as by=url:URL_ID. A revoked URL is refused within 2 s, and answers with audio are cut.\n"
     "--business revokes all signed URLs of the business. Revoking a key ends the URLs that it signed.\n",
     cmd_url},
    {"audit", "verify the audit's chains of digests",
     "callreel audit verify [--business N [--expect NUMBER:DIGEST]] [--json]\n"
     "callreel audit compare FILE --business N [--json]\n\n"
     "Finds entries that were changed, removed, moved or inserted, and names them. Exit 1 if there are any. Can run\n"
     "beside a server. --business 0 is the service itself: platform keys.\n"
     "  --expect NUMBER:DIGEST   an entry and its digest that were kept elsewhere, as from the daily log line\n"
     "                           Audit digest: finds a chain that was computed again from some entry on\n\n"
     "compare reads a copy of the business's audit, as GET /api/audit.csv writes it, after an older backup was "
     "restored:\n"
     "it names the entries that the database lacks, the recordings and calls that were removed since and are back, "
     "the\n"
     "legal holds that are missing, and the erasures of numbers that are undone.\n",
     cmd_audit},
    {"verify", "compare the files with the catalog, by checksum",
     "callreel verify [--repair] [--adopt-store] [--json]\n\n"
     "Finds recordings whose file is missing or has another length or checksum, files of recordings that are not\n"
     "ready, files without a recording, and parts of ended fills. Can run beside a server. Exit 1 if findings are "
     "left.\n"
     "  --repair        marks missing and damaged recordings as missing: the next play fetches them again;\n"
     "                  renames damaged files to .bad, adopts whole files, removes old parts\n"
     "  --adopt-store   RECORDINGS_DIR is on another volume on purpose: stores that volume's id in the database\n",
     cmd_verify},
    {"import", "take the calls and recordings of an earlier system",
     "callreel import DIR --business ID [--link|--copy|--compare] [--json]\n"
     "callreel import DIR [--business ID] --calls FILE [--column TARGET=NAME]... [--link|--copy] [--json]\n"
     "callreel import DIR [--business ID] --calls-from URL [--table NAME] [--column TARGET=NAME]... [--link|--copy] "
     "[--json]\n\n"
     "DIR has files like CA….mp3, RE….wav or CA….RE….mp3, in directories or flat. Each is judged by its bytes; a "
     "whole\n"
     "recording is linked or copied into the store and is ready. Files are never moved or changed. Can run beside a\n"
     "server. If an import is interrupted, run it again to continue it. Exit 1 if a file or a row was refused.\n"
     "  --link           hard links only; --copy: copies only; default: links, copies from another volume\n"
     "  --calls FILE     CSV with a line of names: call_sid, and if there are: parent_call_sid, business_id, "
     "recording_sid,\n"
     "                   recording_url, from, to, status, direction, started_at, duration, caller_name, customer_name\n"
     "  --calls-from URL the same from a table: sqlite:PATH or postgresql://...; --table NAME: default call_log\n"
     "  --compare        imports nothing: lists the rows and files that callreel lacks, or has with other content\n"
     "  --column TARGET=NAME  reads TARGET, one of the names above, from the column NAME\n",
     cmd_import},
    {"reconcile", "find calls and recordings that no webhook reported",
     "callreel reconcile [--business ID] [--json]\n\n"
     "Reads the provider's lists of calls and recordings since the last success, less a day, and adds missing ones.\n"
     "serve does the same every RECONCILE_EVERY seconds. One process does it at a time; the next run continues an\n"
     "interrupted one. Of an account that several businesses use, each gets the calls of its numbers. Exit 1 if an\n"
     "account can't be read.\n",
     cmd_reconcile},
    {"backfill", "take the provider's calls and recordings since a date",
     "callreel backfill --since DATE [--business ID] [--json]\n\n"
     "As reconcile, from that date or time on; recordings that it finds are downloaded after all others. To continue "
     "an\n"
     "interrupted backfill, run it again with the same date.\n",
     cmd_backfill},
    {"backup", "copy the running database into a file",
     "callreel backup FILE [--json]\n\n"
     "Makes a consistent copy. FILE appears when the copy is complete and on disk; an existing file is not "
     "overwritten.\n"
     "Migrates nothing. Recordings are files: copy RECORDINGS_DIR too. Keep DATA_DIR/secrets.key apart from\n"
     "the copy: it decrypts the secrets in it.\n",
     cmd_backup},
    {"check", "find problems of the installation, and say how to fix them",
     "callreel check [--json] [--config FILE]\n\n"
     "Checks settings, files and their modes, secrets, the database and its schema, the recordings' volume, free "
     "space,\n"
     "limits, workers, and asks the provider whether it accepts each business's credentials. Prints ok, warn or FAIL,\n"
     "the finding and what to do; exit 1 at a FAIL. Can run beside a server; changes nothing.\n",
     cmd_check},
    {"demo", "fill the database with calls to look at",
     "callreel demo [--server URL] [--stay] [--json]\n"
     "callreel demo --sim URL --account AC... --auth-token-file F [--server URL] [--json]\n\n"
     "Makes two businesses and forty calls beside a running server, with recordings in every state, from\n"
     "callreel-sim, the simulated provider.\n"
     "  --server URL   where the server is (default: PUBLIC_BASE_URL, else http://LISTEN)\n"
     "  --stay         keeps the simulator running until Ctrl-C, so that recordings can still be fetched\n"
     "  --sim URL      uses a simulator that runs already, with its account and token\n",
     cmd_demo},
    {"version", "print the version", "callreel version\n", cmd_version},
    {NULL, NULL, NULL, NULL},
};

int cmd_version(const struct cmd_args *args) {
  if (args->count) return cmd_misuse(args, "takes no words");
  puts(args->json ? "{\"version\":\"" CALLREEL_VERSION "\"}" : "callreel " CALLREEL_VERSION);
  return CMD_DONE;
}

static void print_commands(FILE *out) {
  fputs("callreel: fetches call recordings once, keeps them and plays them.\n\ncallreel COMMAND [OPTIONS]\n\n", out);
  for (const struct cmd *c = cmd_table; c->name; c++) fprintf(out, "  %-10s %s\n", c->name, c->summary);
  fputs(
      "\ncallreel COMMAND --help describes a command. --json prints JSON, --config FILE reads settings from a file.\n",
      out);
}

static void print_help(const struct cmd *c) {
  fputs(c->help, stdout);
  if (c->run != cmd_serve) return;
  struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  if (conf_help(&b) == OK) fwrite(b.p, 1, b.n, stdout);
}

static const struct cmd *find_command(const char *name) {
  for (const struct cmd *c = cmd_table; c->name; c++)
    if (strcmp(c->name, name) == 0) return c;
  return NULL;
}

static bool is_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Opens /dev/null for each standard stream that is closed. Otherwise a recording could be opened as descriptor 2, and log
 * lines would be written into it. Standard output stays unwritable if it was closed (O_RDONLY). */
static void keep_standard_streams(void) {
  static const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};
  for (int fd = 0; fd < (int)COUNT_OF(flags); fd++)
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", flags[fd]) != fd) _exit(CMD_FAILED);
}

/* Fails a command that succeeded but whose output could not be written. */
static int end_output(const char *name, int code) {
  if ((fflush(stdout) == 0 && !ferror(stdout)) || code != CMD_DONE) return code;
  fprintf(stderr, "callreel%s%s: standard output can't be written\n", name ? " " : "", name ? name : "");
  return CMD_FAILED;
}

static int run_command(const struct cmd *c, int argc, char **argv) {
  for (int i = 2; i < argc; i++) {
    if (!is_help(argv[i])) continue;
    print_help(c);
    return CMD_DONE;
  }
  struct cmd_args all = {.command = c->name, .count = argc - 2, .words = argv + 2};
  struct cmd_options o;
  cmd_options_init(&o, &all);
  o.args.config = cmd_option(&o, "--config");
  o.args.json = cmd_flag(&o, "--json");
  return o.bad ? CMD_USAGE : c->run(&o.args);
}

int main(int argc, char **argv) {
  keep_standard_streams();
  secret_keep_from_dumps();
  if (argc < 2) {
    print_commands(stderr);
    return CMD_USAGE;
  }
  if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
    print_commands(stdout);
    return end_output(NULL, CMD_DONE);
  }
  const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
  const struct cmd *c = find_command(name);
  if (!c) {
    fprintf(stderr, "callreel: unknown command \"%s\"; callreel --help lists the commands\n", argv[1]);
    return CMD_USAGE;
  }
  return end_output(name, run_command(c, argc, argv));
}
