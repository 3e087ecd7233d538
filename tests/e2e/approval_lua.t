#!/usr/bin/perl
# approval_lua.t - plan:request_approval as a script has it: in das test, in a dry run, its mistakes and those in
# people of das.lua. No server; approval.t has one.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP ();
use Das;

my $dir = tempdir('das-approval-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $sample = getcwd() . '/tests/samples/recording.jsonl';
sub put { my ($name, $text) = @_; open my $f, '>', "$dir/$name" or die "$name: $!"; print $f $text; close $f; return "$dir/$name" }

# --- das test --------------------------------------------------------------------------------------------------

put('policy.lua', <<'LUA');
local found = das.preview{ user = "report", time = 600 }
local plan = found:plan{ kill = "connection", reason = "too long" }
local approval, why = plan:request_approval{ channel = "ops", approvers = { roles = { "dba" }, users = { "alice" } }, need = 2 }
if not approval then error(why) end
print(approval.state, #approval.votes, approval:wait{ timeout = "5m" }, approval.report and approval.report.killed, approval.need)
print(approval)
LUA
put('policy_test.lua', <<'LUA');
local function stage(t)
  t.instance{ name = "db", sessions = {
    { id = 1, user = "report", info = "select 1", time = 700 }, { id = 2, user = "shop", info = "select 2", time = 700 } } }
end
test("yes", function(t)
  stage(t)
  local r = t.run("policy.lua", {}, { config = { mode = "approve" }, approvals = "approve" })
  t.expect(r).victims{ 1 }.output("applied\t2\tapproved\t1\t2")
  t.expect(r).output("approved by alice, dba-1; 1 killed")
end)
test("no", function(t)
  stage(t)
  t.expect(t.run("policy.lua", {}, { config = { mode = "approve" }, approvals = "reject" })).victims{}
    .output("rejected\t1\trejected\tnil\t2")
end)
test("nobody answers, and time goes by", function(t)
  stage(t)
  t.expect(t.run("policy.lua", {}, { config = { limits = { wall = "1h" } } })).victims{}.output("waiting\t0\ttimeout\tnil\t2")
end)
test("asked once", function(t)
  stage(t)
  t.run("policy.lua", {}, { approvals = "reject" })
  t.expect(t.run("policy.lua", {}, { approvals = "approve" })).victims{}.output("rejected")
end)
test("a dry run asks nobody", function(t)
  stage(t)
  t.expect(t.run("policy.lua", {}, { apply = false, approvals = "approve" })).victims{}.output("dry_run\t0\tdry_run")
end)
test("observe", function(t)
  stage(t)
  t.expect(t.run("policy.lua", {}, { config = { mode = "observe" }, approvals = "approve" })).error("mode observe").victims{}
end)
test("a yes does not lift the limits", function(t)
  stage(t)
  t.expect(t.run("policy.lua", {}, { config = { kill = { run = 0 } }, approvals = "approve" })).victims{}.output("failed")
end)
test("not granted", function(t)
  stage(t)
  t.expect(t.run("policy.lua", {}, { config = { grants = { "preview", "kill", "instance:*" } } })).error("not granted: notify:ops")
end)
LUA
my $r = das('test', "$dir/policy_test.lua");
is($r->{exit}, 0, 'policies that ask can be tested in memory') or diag "$r->{out}$r->{err}";

# --- mistakes --------------------------------------------------------------------------------------------------

my $people = 'people = { alice = { roles = { "dba" } } }';
sub config { my ($more) = @_; return put('das.lua', qq{return { state = "$dir/state", instances = { db = "mem:$sample" },
    scripts = { ["*"] = { grants = { "preview", "kill", "notify", "instance:*" } } }, $more }}) }
sub ask {
    my ($options, @args) = @_;
    my $script = put('ask.lua', qq{local p = das.preview{ command = "Query", time = 10 }:plan{}\nlocal a, why = p:request_approval$options\nprint(a and a.state, why)\n});
    return das({ env => { DAS_CONFIG => "$dir/das.lua" } }, 'run', '-i', 'db', @args, $script);
}
config($people);
for my $case (
    [ '{}', qr/ask.lua:2: request_approval: approvers: expected a table such as/ ],
    [ '{ approvers = {} }', qr/approvers: expected roles or users; without any, nobody may approve/ ],
    [ '{ approvers = { roles = "dba" } }', qr/approvers.roles: expected a list of names, got string/ ],
    [ '{ approvers = { roles = { "dbas" } } }', qr/nobody in people of das.lua has the role "dbas"/ ],
    [ '{ approvers = { users = { "bob" } } }', qr/there is no person "bob" in people of das.lua/ ],
    [ '{ approvers = { role = {} } }', qr/approvers: unknown option "role"; did you mean "roles"/ ],
    [ '{ approvers = { roles = { "dba" } }, need = 2 }', qr/1 besides who asks may approve, and 2 are needed/ ],
    [ '{ approvers = { roles = { "dba" } }, need = 1.5 }', qr/need: expected a whole number, got 1.5/ ],
    [ '{ approvers = { roles = { "dba" } }, ttl = "soon" }', qr/ttl: expected seconds or a duration such as "10m", got soon/ ],
    [ '{ approvers = { roles = { "dba" } }, ttl = "13h" }', qr/ttl: expected 1 second to 12 hours/ ],
    [ '{ approvers = { roles = { "dba" } }, channel = "ops" }', qr/channel: no channel "ops"|channel: .*ops/ ],
    [ '{ approvers = { roles = { "dba" } }, chanel = "ops" }', qr/unknown option "chanel"; did you mean "channel"/ ],
) {
    for my $apply ([], ['--apply']) {
        my $r = ask($case->[0], @$apply);
        ok($r->{exit} == 1 && $r->{err} =~ $case->[1], "@$apply $case->[0]") or diag explain $r;
    }
}
is(ask('{ approvers = { roles = { "dba" } } }')->{out}, "dry_run\tnil\n", 'a dry run says that it is one');
is(das({ env => { DAS_CONFIG => "$dir/das.lua" } }, 'approvals')->{out}, "nobody was asked yet\n", 'and stores nothing');
is(ask('{ approvers = { roles = { "dba" } } }', '--apply')->{out}, "waiting\tnil\n", 'an armed one asks');
{
    my $opt = { env => { DAS_CONFIG => "$dir/das.lua" } };
    like(das($opt, 'status')->{out}, qr/^approvals +1 waiting, 0 to be carried out/m, 'das status counts it');
    is_deeply(JSON::PP::decode_json(das($opt, 'status', '-o', 'json')->{out})->{approvals}, { waiting => 1, approved => 0 }, 'as JSON, too');
}

for my $case (
    [ 'people = { alice = { os = "a" }, bob = { os = "a" } }', qr/people\.(alice|bob)\.os: "a" is (alice|bob) already: one id is one person/ ],
    [ 'people = { alice = { slak = "U1" } }', qr/people.alice: unknown key "slak"; did you mean "slack"/ ],
    [ 'people = { alice = { roles = "dba" } }', qr/people.alice.roles: expected a list of strings, got string/ ],
    [ 'people = { alice = { os = 1 } }', qr/people.alice.os: expected a string, got number/ ],
    [ 'people = { alice = { os = "" } }', qr/people.alice.os: expected an id without blanks/ ],
    [ 'people = { ["al ice"] = {} }', qr/people: "al ice": expected a name of letters/ ],
    [ 'people = { "alice" }', qr/people: expected names, got a number/ ],
    [ 'people = "alice"', qr/people: expected a table, got "alice"/ ],
    [ 'serve = { url = "das.example.com" }', qr/serve.url: expected https:/ ],
    [ 'serve = { url = "http://das.example.com" }', qr/serve.url: expected https:/ ],
) {
    config($case->[0]);
    my $r = das({ env => { DAS_CONFIG => "$dir/das.lua" } }, 'approvals');
    ok($r->{exit} == 2 && $r->{err} =~ $case->[1], $case->[0]) or diag explain $r;
}
config($people);
for my $case ([ ['approve'], qr/which request/ ], [ [ 'approve', 'x', 'y' ], qr/one request at a time/ ], [ [ 'approve', 'nothing' ], qr/no request "nothing"/ ],
    [ [ 'reject', 'x' ], qr/--reason: expected why not/ ], [ [ 'approvals', 'lst' ], qr/expected list, show or run/ ], [ [ 'approvals', 'show' ], qr/which request/ ],
    [ [ 'approvals', '-o', 'csv' ], qr/expected table or json/ ]) {
    my $r = das({ env => { DAS_CONFIG => "$dir/das.lua" } }, @{ $case->[0] });
    ok($r->{exit} == 2 && $r->{err} =~ $case->[1], "das @{ $case->[0] }") or diag explain $r;
}
done_testing;
