/*
 * config.h - reads das.lua: which instances there are, what is protected, what a script may do.
 *
 * The file is a Lua table, read in a state that has no functions at all: it is data. Passwords are
 * never in it, only where to find them.
 *
 *   return {
 *     instances = {
 *       orders = { source = "mysql://das@db1.example:3306/", password_file = "/etc/das/orders",
 *                  tags = { "prod" }, id = "0123456789abcdef0123456789abcdefin01" },
 *       ledger = { source = "das://cn-north-4/PROJECT_ID/INSTANCE_ID", cloud = "prod",
 *                  db_user_id = "..." },
 *       sample = "mem:tests/samples/recording.jsonl",
 *     },
 *     clouds = {
 *       prod = {
 *         -- who das is there, one of:
 *         access_key = "AK", secret_key = { file = "/etc/das/sk" }, -- and security_token = { ... }
 *         credential_file = "/run/das/keys.json", -- temporary keys that somebody renews
 *         credential_command = { "/usr/bin/hw-keys", "prod" }, -- the same, printed
 *         domain = "corp", user = "das", password = { credential = "iam" }, -- a token from IAM
 *         token = { env = "HW_TOKEN" },
 *         -- none of them: the SDK's environment variables
 *         domain_id = "...", endpoint = "https://...", iam_endpoint = "https://...",
 *         ca = "/etc/das/ca.pem", insecure = false, algorithm = "SDK-HMAC-SHA256",
 *         rate = 20, concurrency = 16, connect_timeout = "5s", timeout = "20s", deadline = "60s",
 *         retries = 5,
 *       },
 *     },
 *     channels = {
 *       ops = { kind = "slack", url = { file = "/etc/das/slack-url" }, digest = "5m", rate = 20,
 *               redact = true },
 *       oncall = { kind = "pagerduty", token = { credential = "pagerduty" } },
 *     },
 *     people = {
 *       alice = { roles = { "dba" }, os = "alice", slack = "U024BE7LH", key = "DAS..." },
 *       bob = { roles = { "dba", "oncall" }, os = "bob", email = { "bob@example.com" } },
 *     },
 *     secrets = { slack = { file = "/etc/das/slack" } },
 *     protect = { { user = "backup" }, { user = "etl", db = "warehouse" } },
 *     state = "/var/lib/das",
 *     limits = { script = { memory = "64MB", cpu = "5s", wall = "60s", output = "16MB" },
 *                kill = { run = 10, minute = 30, instance = 60, user = 20, window = "10m",
 *                         percent = 5, min_left = 0, rows_modified = 100000 } },
 *     windows = { { days = "mon-fri", from = "22:00", to = "06:00", tz = "Asia/Shanghai" } },
 *     freezes = { { from = "2026-12-20", to = "2027-01-03", tz = "Asia/Shanghai",
 *                   name = "year-end" } },
 *     breaker = { failures = 1, respawns = 3, respawn_within = "60s", surge = 10,
 *                 cooldown = "10m" },
 *     ramp = true, outcome_wait = "5s",
 *     journal = { redact_sql = true },
 *     serve = { listen = "0.0.0.0:7070", -- or a list; "127.0.0.1:7070"
 *               tls = { certificate = "/etc/das/cert.pem", key = "/etc/das/key.pem" },
 *               insecure = false, region = "local", project = "0123456789abcdef0123456789abcdef",
 *               every = "5s", share = "250ms", connections = 1024, connections_per_address = 128,
 *               header = "16KB", body = "256KB", deadline = "30s", drain = "30s", rate = 100,
 *               url = "https://das.example.com", workers = 8, hook_workers = 4, hook_queue = 64,
 *               mode = "auto", kill = { run = 20 } },
 *     policies = {
 *       { script = "policies/long_select.lua", args = { "60s" }, instances = { "orders", "tag:prod" },
 *         every = "10s", -- or cron = "0,30 8-18 * * mon-fri", tz = "Europe/Berlin"
 *         jitter = "10s", timeout = "30s", backoff = "5m", name = "long_select",
 *         mode = "auto", limits = { memory = "16MB" }, kill = { run = 3 } },
 *     },
 *     hooks = {
 *       slack = { platform = "slack", path = "/hooks/slack",
 *                 verify = { secrets = { file = "/etc/das/slack-secret" } }, -- or a list of places
 *                 allow = { roles = { "dba" }, users = { "carol" } }, instances = { "tag:prod" },
 *                 commands = { preview = { script = "hooks/preview.lua", help = "what matches",
 *                   params = { { name = "instance", type = "instance", required = true },
 *                              { name = "time", type = "duration", default = "60s" },
 *                              { name = "kind", default = "query", immutable = true } } } },
 *                 channel = "ops", reply_hosts = { "hooks.slack.com" }, timeout = "60s" },
 *       alerts = { platform = "alertmanager", path = "/hooks/alerts", channel = "ops",
 *                  verify = { tokens = { env = "ALERTS" } }, script = "hooks/alertmanager.lua" },
 *     },
 *     scripts = {
 *       ["policies/long_select.lua"] = { grants = { "preview", "kill", "tag:prod" },
 *                                        limits = { wall = "5m" }, mode = "auto",
 *                                        kill = { run = 20 }, every = "10s" },
 *     },
 *   }
 *
 * clouds are accounts at Huawei Cloud (core/cloud/cloud.h says what their numbers mean). An instance
 * that names none goes through the one named "default", else through the SDK's environment variables.
 *
 * Secrets are places: { file = PATH }, { env = NAME } or { credential = NAME } (systemd).
 *
 * people are who may approve (docs/approvals.md): an id of a platform, of this machine (os) or of das
 * serve (key) is one person's only. Each is a text or a list of them.
 *
 * hooks are requests of chats and alerts that das serve takes (docs/hooks.md, core/hook/hook.h).
 *
 * channels are where das.notify() sends to (docs/notify.md says what each kind needs).
 *
 * Paths of scripts are relative to the folder of das.lua, and "*" is every script that is not named.
 * A script that is named with grants has those and no others. Where scripts are named, one that is
 * not may preview and no more, unless "*" says so; without `scripts` every script may preview and
 * kill on the instances of the run.
 *
 * serve is for `das serve` (bindings/serve_conf.h says what its numbers mean). Addresses are numeric,
 * or localhost; one that other machines reach needs tls, or insecure = true. Clients call an
 * instance by its id: 32 letters and digits, and "in01" or the like behind them; without one it is
 * made from the name.
 *
 * policies are what `das serve` runs by itself (core/serve/schedule.h). What a script may do is said
 * in scripts, and holds here, too: mode, limits and kill of a policy can only take some of it away. A
 * script that scripts gives no mode has that of the policy. instances are names, "tag:TAG" or "*".
 *
 * What stands between a plan and its kills (core/plan/guard.h): limits.kill, windows, freezes,
 * breaker, ramp and outcome_wait hold for every script. A script has `mode` and, under the same
 * names but `kill` for limits.kill (its `limits` are those of the script itself), what is different
 * for it: single numbers of kill and breaker take the place of those for all, its windows take the
 * place of all windows, and its freezes are added to those for all, so that one more never takes
 * another one away. Without a mode a script observes. `every` is how often somebody (cron, a timer)
 * runs it: das replay goes by it. A day as the end of a freeze is still frozen;
 * days and times of day are those of tz, UTC without it. serve has the same keys as a script, for
 * the kills that its clients ask for.
 */
#ifndef DAS_BINDINGS_CONFIG_H
#define DAS_BINDINGS_CONFIG_H

#include "bindings/limits.h"
#include "core/base/secret.h"
#include "core/plan/protect.h"
#include "core/source/inventory.h"

/* Where what is read goes; all filled by the caller. */
struct das_config {
    struct das_inventory *inventory;
    struct das_protect *protect;
    struct das_rules *rules;
    struct das_secrets *secrets;
};

/* Adds what path says to all of them. Every mistake is DAS_E_CONFIG and names the key. */
int das_config_read(const char *path, const struct das_config *into, struct das_err *err);

#endif
