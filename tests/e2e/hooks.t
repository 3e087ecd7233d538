#!/usr/bin/perl
# hooks.t - das serve takes requests of chats and alerts, signed by other code than ours, in front of a real MariaDB: the platform is
# answered at once, the result comes to the address for it, what comes twice counts once, who may not is refused, and whatever somebody
# writes, it stays data.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use JSON::PP;
use Time::HiRes qw(sleep);
use Das qw(das wait_for);
use Herd;
use HookSender;
use MariaDB;
use Serve;
use WebServer;

plan skip_all => MariaDB::missing() if MariaDB::missing();

sub write_file { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; print $out $text; close $out }

my ($scripts, $runbooks) = do { require Cwd; (Cwd::abs_path('scripts/hooks'), Cwd::abs_path('scripts/runbooks')) };
my $secret = '8f742231b10e8888abcd99yyyzzz85a5';
my $feishu = { key => 'feishu encrypt key', token => 'feishu-verification-token' };
my $ding = 'dingtalk-app-secret';
my $teams = 'vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=';
my $alerts = 'alertmanager-bearer-token';

# Where answers go: Slack's response_url, DingTalk's session webhook, Feishu's API, a channel.
my $web = WebServer->new(handler => sub {
    my ($r) = @_;
    my $body = eval { decode_json($r->{body}) } || {};
    return [ 500, {}, 'not now' ] if $r->{path} =~ /busy/ && $r->{n} == 1;
    return [ 200, { 'Content-Type' => 'application/json' }, '{"code":0,"tenant_access_token":"t-1","expire":7200}' ] if $r->{path} =~ /tenant_access_token/;
    return [ 200, { 'Content-Type' => 'application/json' }, '{"code":0,"data":{"message_id":"om_1"}}' ] if $r->{path} =~ m{^/feishu};
    return [ 200, { 'Content-Type' => 'application/json' }, '{"errcode":0}' ] if $r->{path} =~ m{^/ding};
    return [ 200, {}, 'ok' ];
});
my $here = "127.0.0.1:$web->{port}";
sub answers { my ($path) = @_; return map { $_->{body} } grep { $_->{path} =~ $path } $web->requests }
sub answer_to { my ($path, $n) = @_; $n ||= 1; wait_for(sub { answers($path) >= $n }, 30); return (answers($path))[$n - 1] // '' }

my $db = MariaDB->new;
$db->sql('CREATE USER app@localhost; CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;'
    . 'CREATE DATABASE shop; CREATE TABLE shop.t(id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1), (2), (3)');
my $herd = Herd->new($db->{socket});
my $victim = $herd->add('app', '', 'SELECT SLEEP(1000)');

my $params = <<'LUA';
{ name = "user" }, { name = "db" }, { name = "host" }, { name = "command" }, { name = "info" }, { name = "time", type = "duration" },
LUA
my $commands = <<"LUA";
  preview = { script = "$scripts/preview.lua", help = "which sessions match", params = {
    { name = "instance", type = "instance", required = true }, $params { name = "state" } } },
  status = { script = "$scripts/status.lua" },
  history = { script = "$scripts/history.lua", params = { { name = "instance", type = "instance", required = true },
    { name = "from", type = "duration", default = "1d" } } },
  explain = { script = "$scripts/explain.lua", params = { { name = "instance", type = "instance", required = true },
    { name = "id", type = "integer", required = true, min = 1 }, $params } },
  stop = { script = "$scripts/stop.lua", allow = { users = { "bob" } }, params = { { name = "reason", required = true, min = 3, max = 300 } } },
  kill = { script = "$scripts/kill.lua", params = { { name = "instance", type = "instance", required = true }, { name = "user" }, { name = "db" },
    { name = "host" }, { name = "command" }, { name = "info" }, { name = "time", type = "duration", default = "1s" },
    { name = "limit", type = "integer", min = 1, max = 20, default = 3 },
    { name = "kind", type = "choice", choices = { "query", "connection" }, default = "connection" }, { name = "reason" },
    { name = "channel", default = "ops", immutable = true }, { name = "role", default = "dba", immutable = true },
    { name = "need", type = "integer", default = 1, immutable = true } } },
LUA

my $s = Serve->new(start => 0, instances => {
    orders => "{ source = 'mysql://das\@localhost/?socket=$db->{socket}', tags = { 'prod' } }",
    secret => 'mem:tests/samples/recording.jsonl' });
my $dir = $s->{dir};
my %secrets = (slack => $secret, old => 'the secret before', key => $feishu->{key}, token => $feishu->{token}, app => 'feishu-app-secret', ding => $ding,
    teams => $teams, alerts => $alerts);
write_file("$dir/$_.secret", "$secrets{$_}\n") for keys %secrets;
write_file("$dir/ops.url", "http://$here/ops/hook\n");
chmod 0600, glob("$dir/*.secret"), "$dir/ops.url";
write_file("$dir/slow.lua", "local req = ...\nrepeat das.sleep(0.1) until #das.instance('orders'):preview{ user = 'go' } > 0\nreq.reply('slow is done')\n");
write_file("$dir/raise.lua", "error('the script is broken')\n");
write_file("$dir/spy.lua", "local req = ...\nreq.reply{ text = das.json.encode{ user = req.user, args = req.args, command = req.command, platform = req.platform, kind = req.kind }, public = true }\n");

sub place { return "{ file = '$dir/$_[0].secret' }" }
sub config {
    my (%with) = @_;
    my $workers = $with{workers} // 4;
    my $queue = $with{queue} // 64;
    $s->write_config(serve => "mode = 'auto', hook_workers = $workers, hook_queue = $queue", more => <<"LUA");
people = {
    alice = { roles = { "dba" }, slack = "UALICE", feishu = "ou_alice", dingtalk = "staff-alice", teams = "aad-alice" },
    bob = { roles = { "dba", "lead" }, slack = "UBOB" },
    carol = { roles = { "reader" }, slack = "UCAROL" },
  },
  channels = {
    ops = { kind = "slack", url = { file = "$dir/ops.url" }, insecure = true, rate = 1000 },
    feishu = { kind = "feishu", app = "cli_1", secret = @{[ place('app') ]}, channel = "oc_default", endpoint = "http://$here/feishu", insecure = true },
  },
  scripts = {
    ["$scripts/alertmanager.lua"] = { grants = { "preview", "runbook", "tag:prod" } },
    ["$runbooks/connection_exhaustion.lua"] = { mode = "auto", grants = { "preview", "kill", "tag:prod" } },
    ["$scripts/stop.lua"] = { grants = { "stop" } },
    ["$scripts/kill.lua"] = { mode = "approve", grants = { "preview", "kill", "notify:ops", "tag:prod" } },
    ["*"] = { grants = { "preview", "tag:prod" } },
  },
  hooks = {
    slack = { platform = "slack", path = "/hooks/slack", verify = { secrets = { @{[ place('old') ]}, @{[ place('slack') ]} } }, insecure = true,
      reply_hosts = { "$here" }, instances = { "tag:prod" }, allow = { roles = { "dba" } }, commands = { $commands
        slow = { script = "slow.lua" }, raise = { script = "raise.lua" }, spy = { script = "spy.lua", params = {
          { name = "n", type = "integer", min = 1, max = 9 }, { name = "d", type = "duration", default = "1m" },
          { name = "fixed", default = "ours", immutable = true } } } } },
    feishu = { platform = "feishu", path = "/hooks/feishu", verify = { encrypt_keys = @{[ place('key') ]}, tokens = @{[ place('token') ]} },
      channel = "feishu", allow = { users = { "alice" } }, instances = { "orders" }, commands = { $commands } },
    ding = { platform = "dingtalk", path = "/hooks/ding", verify = { secrets = @{[ place('ding') ]} }, insecure = true, reply_hosts = { "$here" },
      allow = { roles = { "dba" } }, instances = { "orders" }, commands = { $commands } },
    teams = { platform = "teams", path = "/hooks/teams", verify = { secrets = @{[ place('teams') ]} }, allow = { roles = { "dba" } },
      instances = { "orders" }, commands = { $commands } },
    whole = { platform = "slack", path = "/hooks/whole", verify = { secrets = @{[ place('slack') ]} }, allow = { roles = { "dba" } }, script = "spy.lua" },
    alerts = { platform = "alertmanager", path = "/hooks/alerts", verify = { tokens = @{[ place('alerts') ]} }, channel = "ops",
      script = "$scripts/alertmanager.lua", instances = { "orders" } },
  },
LUA
}

# --- a configuration with mistakes ------------------------------------------------------------------------------------------------
my $bad = Serve->new(instances => { orders => 'mem:tests/samples/recording.jsonl' }, start => 0);
write_file("$bad->{dir}/x.lua", 'print(1)');
write_file("$bad->{dir}/empty", '');
sub refuses {
    my ($hooks, $why) = @_;
    $bad->write_config(more => "people = { alice = { roles = { 'dba' }, slack = 'U1' } }, hooks = { $hooks }");
    my $r = das($bad->opt, 'serve');
    is($r->{exit}, 2, "refused: $hooks");
    like($r->{err}, $why, '... and says why');
}
my $good = 'verify = { secrets = { env = "NOT_SET_ANYWHERE" } }, script = "x.lua", allow = { roles = { "dba" } }';
refuses('slack = { platform = "slack", path = "/hooks/s", script = "x.lua", allow = { roles = { "dba" } } }', qr/hooks\.slack\.verify\.secrets: platform "slack" needs it/);
refuses('slack = { platform = "slack", path = "/hooks/s", verify = {}, script = "x.lua", allow = { roles = { "dba" } } }', qr/hooks\.slack\.verify\.secrets/);
refuses("slack = { platform = 'slack', path = '/hooks/s', $good }", qr/hooks\.slack\.verify\.secrets: .*NOT_SET_ANYWHERE/);
refuses("slack = { platform = 'slack', path = '/hooks/s', verify = { secrets = { file = '$bad->{dir}/empty' } }, script = 'x.lua', allow = { roles = { 'dba' } } }", qr/hooks\.slack\.verify\.secrets/);
refuses("am = { platform = 'alertmanager', path = '/hooks/a', script = 'x.lua' }", qr/hooks\.am\.verify: .*needs tokens, or user and passwords/);
refuses("a = { platform = 'slack', path = '/hooks/s', $good }, b = { platform = 'slack', path = '/hooks/s', $good }", qr{hooks\.[ab]\.path: "/hooks/s" is the path of hooks\.[ab], too});
refuses("a = { platform = 'slak', path = '/hooks/s', $good }", qr/hooks\.a\.platform: there is no "slak"; did you mean "slack"/);
refuses("a = { platform = 'slack', path = '/v3/x', $good }", qr/hooks\.a\.path: expected a path below/);
refuses('a = { platform = "slack", path = "/hooks/s", verify = { secrets = { env = "X" } }, script = "x.lua" }', qr/hooks\.a\.allow: expected who may/);
refuses('a = { platform = "slack", path = "/hooks/s", verify = { secrets = { env = "X" } }, script = "x.lua", allow = { roles = { "db" } } }', qr/hooks\.a\.allow\.roles: nobody of people has the role "db"/);
refuses('a = { platform = "slack", path = "/hooks/s", verify = { secrets = "clear text" }, script = "x.lua", allow = { roles = { "dba" } } }', qr/hooks\.a\.verify\.secrets: a secret does not belong in this file/);
refuses('a = { platform = "slack", path = "/hooks/s", verify = { secrets = { env = "X" } }, allow = { roles = { "dba" } }, commands = { p = { script = "x.lua", params = { { name = "n", type = "integer", default = "x" } } } } }',
    qr/hooks\.a\.commands\.p\.params\[1\]\.default: n: expected a whole number/);
refuses('a = { platform = "slack", path = "/hooks/s", verify = { secrets = { env = "X" } }, allow = { roles = { "dba" } }, commands = { p = { script = "x.lua", params = { { name = "n", immutable = true } } } } }',
    qr/params\[1\]\.default: an immutable parameter needs its value/);
refuses("a = { platform = 'slack', path = '/hooks/s', $good, scirpt = 'y' }", qr/hooks\.a: unknown key "scirpt"; did you mean "script"/);

# --- commands ---------------------------------------------------------------------------------------------------------------------
config();
$s->start;
my $n = 0;
sub url { my ($what) = @_; return "http://$here/slack/$what/" . ++$n }
sub slack { my ($text, %o) = @_; return HookSender::post($s, '/hooks/slack', HookSender::slack($o{secret} // $secret, user_id => 'UALICE', user_name => 'boss',
    text => $text, response_url => url('x'), %{ $o{form} || {} })) }
# The text of the answer to a command, and what came to its response_url.
sub asked { my ($text, %o) = @_;
    my $url = url('a');
    my ($path) = $url =~ m{(/slack.*)};
    my $r = slack($text, %o, form => { response_url => $url, %{ $o{form} || {} } });
    return ($r, answer_to(qr{^\Q$path\E$})) }

is(HookSender::post($s, '/hooks/nothing', [ {}, '' ])->{status}, 404, 'no such hook');
is(HookSender::post($s, '/hooks/slack', [ {}, '' ], method => 'GET')->{status}, 405, 'a hook takes POST only');
my ($r, $said) = asked('preview orders user=app% time=0');
is($r->{status}, 200, 'a command is taken');
like($r->{content}, qr/working on it/, 'and answered at once');
is($r->{json}{response_type}, 'ephemeral', 'for the person alone');
my $result = decode_json($said);
is($result->{response_type}, 'ephemeral', 'the result comes to response_url');
is(HookSender::post($s, '/hooks/whole', HookSender::slack($secret, user_id => 'UALICE', text => $_))->{json}{text}, ($_ || 'das') . ': working on it.',
    'a hook without commands takes every line: "' . $_ . '"') for 'look', '';
like($said, qr/1 session\b.*(?<!\d)$victim(?!\d)/s, 'with the session');
like($said, qr/SELECT SLEEP\(\?\)/i, 'whose statement is a shape');
($r, $said) = asked('preview orders info="select~sleep" user=app');
like($said, qr/(?<!\d)$victim(?!\d)/, 'quotes and keywords');
like((asked('preview user=app instance=orders'))[1], qr/(?<!\d)$victim(?!\d)/, 'a parameter by its name');
like((asked("explain orders $victim user=nobody"))[1], qr/user/, 'explain');
like((asked('history orders'))[1], qr/0 kills/, 'history');
like((asked('status'))[1], qr/das is ready/, 'status');
like((asked('raise'))[1], qr/raise failed: .*the script is broken/, 'a script that fails is told');
is_deeply(decode_json(decode_json((asked('spy 7 d=2m'))[1])->{blocks}[0]{text}{text}),
    { user => { name => 'alice', id => 'UALICE', roles => ['dba'] }, args => { n => 7, d => 120, fixed => 'ours' }, command => 'spy', platform => 'slack', kind => 'command' },
    'what a script gets: who, as das.lua says, and typed arguments');
like(slack('help')->{content}, qr/preview instance=NAME \[user=TEXT\].*which sessions match/, 'help');
like(slack('')->{content}, qr/preview instance=NAME/, 'an empty line is help');
unlike(slack('help')->{content}, qr/fixed|stop reason/, 'without what cannot be said, and what is for others');
slack('preview orders user=app', form => { response_url => "http://$here/slack/busy/1" });
like(answer_to(qr{^/slack/busy/1}, 2), qr/(?<!\d)$victim(?!\d)/, 'an answer that is not taken is sent again');
like((asked('preview orders user=app', secret => $secrets{old}))[1], qr/(?<!\d)$victim(?!\d)/, 'the other one of two secrets');

# --- who may not, and what cannot be said -----------------------------------------------------------------------------------------
my $before = () = $web->requests;
sub said_no { my ($name, $got, $why) = @_; is($got->{status}, 200, "$name: Slack is answered"); like($got->{content}, $why, '... and the person') }
said_no('unknown user', slack('preview orders', form => { user_id => 'UEVE', user_name => 'alice' }), qr/das does not know you/);
said_no('a role that may not', slack('preview orders', form => { user_id => 'UCAROL' }), qr/You may not use this/);
said_no('a command for others', slack('stop reason="because"'), qr/You may not use this command/);
said_no('immutable', slack('kill orders user=app channel=elsewhere'), qr/channel: is given by the configuration/);
said_no('immutable, too', slack('spy fixed=theirs'), qr/fixed: is given by the configuration/);
said_no('another instance', slack('preview secret'), qr/instance: expected the name of an instance/);
said_no('range', slack('spy 10'), qr/n: expected 1 to 9/);
said_no('type', slack('spy n=ten'), qr/n: expected a whole number/);
said_no('unknown key', slack('preview orders usr=app'), qr/usr: preview has no such parameter; did you mean user/);
said_no('unknown command', slack('previw orders'), qr/no command previw; did you mean preview/);
said_no('missing', slack('preview user=app'), qr/instance: it is needed/);
said_no('no words', slack('preview orders; DROP TABLE t'), qr/expected|blank/);

sub refused { my ($name, $sent, $status, $path) = @_;
    my $r = HookSender::post($s, $path // '/hooks/slack', $sent);
    is($r->{status}, $status, "$name: $status");
    is_deeply([ sort keys %{ $r->{json} } ], [ 'error_code', 'error_msg', 'request_id' ], '... in the usual form');
    is($r->{json}{error_msg}, 'Refused', '... and no hint') }
my %form = (user_id => 'UALICE', text => 'preview orders', response_url => url('never'));
refused('wrong secret', HookSender::slack('wrong', %form), 401);
my $old = HookSender::slack_signed($secret, HookSender::form(%form, command => '/das', trigger_id => 'old'), time - 400);
refused('too old', $old, 401);
my $changed = HookSender::slack($secret, %form);
$changed->[1] =~ s/preview/explain/;
refused('changed on the way', $changed, 401);
refused('alerts without the token', HookSender::alertmanager('wrong', []), 401, '/hooks/alerts');
is(scalar(() = $web->requests), $before, 'nobody was sent anything');
like($s->log, qr/"result":"unknown_user".*UEVE/, 'the log knows who was refused');
unlike($s->log, qr/\Q$secret\E|slack\/never/, 'and no secret');

# --- twice ------------------------------------------------------------------------------------------------------------------------
my $url = url('twice');
my ($path) = $url =~ m{(/slack.*)};
my $sent = HookSender::slack($secret, user_id => 'UALICE', text => 'preview orders user=app', response_url => $url);
is(HookSender::post($s, '/hooks/slack', $sent)->{status}, 200, 'a delivery');
answer_to(qr{^\Q$path\E$});
is(HookSender::post($s, '/hooks/slack', $sent)->{status}, 200, 'the same again is answered');
$s->stop;
$s->start;
is(HookSender::post($s, '/hooks/slack', $sent)->{status}, 200, 'and after a restart');
asked('status');    # what came before it is done
is(scalar(answers(qr{^\Q$path\E$})), 1, 'it was done once');
ok(wait_for(sub { $s->log =~ /"result":"duplicate"/ }, 10), 'as the log says');

# --- at once, while the script is slow --------------------------------------------------------------------------------------------
my $slow = url('slow');
my ($slow_path) = $slow =~ m{(/slack.*)};
$r = slack('slow', form => { response_url => $slow });
like($r->{content}, qr/working on it/, 'a slow script: the answer is there');
is(scalar(answers(qr{^\Q$slow_path\E$})), 0, 'before the script is done');
$db->sql('CREATE USER go@localhost');
my $go = $herd->add('go', '', 'SELECT SLEEP(1000)');
like(answer_to(qr{^\Q$slow_path\E$}), qr/slow is done/, 'whose result comes later');

# --- other platforms --------------------------------------------------------------------------------------------------------------
$r = HookSender::post($s, '/hooks/feishu', HookSender::feishu($feishu, 'ou_alice', 'preview orders user=app'));
is($r->{status}, 200, 'feishu: a message to the bot');
like(answer_to(qr{^/feishu/open-apis/im/v1/messages}), qr/oc_chat1.*$victim/s, 'is answered in the chat it came from');
$r = HookSender::post($s, '/hooks/feishu', HookSender::feishu_question($feishu, 'c-1'));
is_deeply($r->{json}, { challenge => 'c-1' }, 'feishu: the challenge is answered by das');
HookSender::post($s, '/hooks/feishu', HookSender::feishu($feishu, 'ou_eve', 'preview orders'));
like(answer_to(qr{^/feishu/open-apis/im/v1/messages}, 2), qr/das does not know you/, 'feishu: who is not known is told');

my $session = "http://$here/ding/session";
my $ding_sent = HookSender::dingtalk($ding, 'staff-alice', 'preview orders user=app', $session);
is(HookSender::post($s, '/hooks/ding', $ding_sent)->{status}, 200, 'dingtalk: a message to the robot');
like(answer_to(qr{^/ding/session}), qr/msgtype.*(?<!\d)$victim(?!\d)/s, 'is answered to the session webhook');
my $replay = [ $ding_sent->[0], $ding_sent->[1] =~ s/"msgId":"[^"]*"/"msgId":"another"/r ];
refused('dingtalk: the signature with another body', $replay, 401, '/hooks/ding');
HookSender::post($s, '/hooks/ding', HookSender::dingtalk($ding, 'staff-alice', 'preview orders', 'http://evil.example/ding/session'));
asked('status');
is(scalar(answers(qr{^/ding})), 1, 'dingtalk: an address for answers elsewhere is not used');

$r = HookSender::post($s, '/hooks/teams', HookSender::teams($teams, 'aad-alice', 'preview orders user=app'));
is($r->{json}{type}, 'message', 'teams: the result is in the answer');
like($r->{content}, qr/(?<!\d)$victim(?!\d)/, 'with the session');

my $one = { status => 'firing', labels => { alertname => 'TooManyConnections', severity => 'critical', das_instance => 'orders' },
    annotations => { summary => 'connections at 95 %' }, startsAt => '2026-11-24T20:00:00Z', fingerprint => 'f1' };
is(HookSender::post($s, '/hooks/alerts', HookSender::alertmanager($alerts, [$one]))->{status}, 200, 'alertmanager: an alert');
like(answer_to(qr{^/ops}), qr/TooManyConnections.*connections at 95 %/s, 'runs its script, which tells the channel');
HookSender::post($s, '/hooks/alerts', HookSender::alertmanager($alerts, [ $one, { %$one, fingerprint => 'f2', labels => { alertname => 'Second', instance => 'orders:3306' } } ]));
like(answer_to(qr{^/ops}, 2), qr/Second/, 'of a group that comes again only what is new');
is(scalar(grep { /TooManyConnections/ } answers(qr{^/ops})), 1, 'and once');

HookSender::post($s, '/hooks/alerts', HookSender::alertmanager($alerts, [ { %$one, fingerprint => 'f3', labels => { alertname => 'MySQLTooManyConnections',
    das_instance => 'orders', runbook => '/etc/passwd' } } ]));
like(answer_to(qr{^/ops}, 3), qr/runbook.*begun/s, 'an alert begins a runbook');
like(answer_to(qr{^/ops}, 4), qr/Runbook 1 \(connection_exhaustion\.lua on orders\) is done: das runbook show 1/, 'whose end is told');
like(das($s->opt, 'runbook', 'show', '1')->{out}, qr/connection exhaustion/, 'and which is kept');

# --- buttons ----------------------------------------------------------------------------------------------------------------------
my $asked_for = answers(qr{^/ops});
($r, $said) = asked('kill orders user=app reason="too long"');
like($said, qr/Asked for the kill of 1 session/, 'kill asks for approval');
my $card = answer_to(qr{^/ops}, $asked_for + 1);
my ($yes) = $card =~ /"value":"(das:approval:[^"]*:y)"/;
ok($yes, 'the message in the channel has a button');
sub press { my ($user) = @_; my $url = url('b'); my ($path) = $url =~ m{(/slack.*)};
    my $r = HookSender::post($s, '/hooks/slack', HookSender::slack_button($secret, $user, $yes, $url));
    is($r->{status}, 200, "$user presses it"); return answer_to(qr{^\Q$path\E$}) }
like(press('UALICE'), qr/\w/, 'who asked is told');
is($db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $victim"), 1, 'and it does not count');
like(press('UEVE') || 'x', qr/das does not know you/, 'nor does who is not known');
press('UBOB');
ok(wait_for(sub { $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $victim") == 0 }, 30), 'another one of the role: the session is killed');
press('UBOB');
like((asked('history orders'))[1], qr/1 kill\b/, 'the history has it');

# --- whatever somebody writes -----------------------------------------------------------------------------------------------------
my $bystander = $herd->add('app', '', 'SELECT SLEEP(1000)');
my $sum = $db->sql('CHECKSUM TABLE shop.t; SELECT COUNT(*) FROM mysql.user');
my $kills = grep { /"kind":"apply"/ } split /\n/, das($s->opt, 'audit', 'list', '-o', 'json')->{out};
open my $in, '<:raw', 'tests/samples/hook_injections.txt' or die;
my @lines = grep { !/^#/ && /\S/ } map { chomp; s/\\n/\n/g; s/\\t/\t/g; s/\\0/\0/g; s/\\x([0-9a-f]{2})/chr hex $1/ge; $_ } <$in>;
cmp_ok(scalar(@lines), '>', 70, 'a corpus');
my @odd = grep { slack($_)->{status} != 200 } @lines;
is_deeply(\@odd, [], 'each line is answered');
asked('status');
is($db->sql('CHECKSUM TABLE shop.t; SELECT COUNT(*) FROM mysql.user'), $sum, 'nothing changed on the server');
is($db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $bystander"), 1, 'nobody was killed');
is(scalar(grep { /"kind":"apply"/ } split /\n/, das($s->opt, 'audit', 'list', '-o', 'json')->{out}), $kills, 'and no plan applied');
ok(!-e '/tmp/das-hook-injection', 'and no shell ran');

# --- full -------------------------------------------------------------------------------------------------------------------------
$s->stop;
config(workers => 1, queue => 1);
$db->sql("KILL $go");
$s->start;
my %slow = map { $_ => slack('slow') } 1, 2;
wait_for(sub { $s->ask(GET => '/metrics', undef, key => undef)->{content} =~ /^das_hooks_running 1$/m }, 30);
my $third = HookSender::slack($secret, user_id => 'UALICE', text => 'slow', response_url => url('full'));
my @codes = map { HookSender::post($s, '/hooks/slack', $third)->{status} } 1, 2;
is($codes[-1], 503, 'no room: told with 503');
like($s->ask(GET => '/metrics', undef, key => undef)->{content}, qr/^das_hook_requests_total\{platform="slack",result="full"\} [12]$/m, 'and counted');
my $end = $s->stop;
is($end->{exit}, 0, 'scripts that run do not keep das serve from ending');

done_testing();
