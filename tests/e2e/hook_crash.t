#!/usr/bin/perl
# hook_crash.t - das serve dies, as in a power cut, at every place between a request of a hook and its answer. Afterwards what was not
# begun is done once, what was begun is done no second time and told, and what the platform sends again stays a duplicate. The same
# where it ends in order, where two of them share a state directory, and where the configuration has changed meanwhile.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use Cwd qw(getcwd);
use JSON::PP;
use Time::HiRes qw(sleep time);
use Das qw(das wait_for);
use HookSender;
use Serve;
use WebServer;

my $faults = getcwd() . '/' . ($ENV{BUILD} || 'build') . '/das-faults';
my ($secret, $token, $ding) = ('slack-signing-secret', 'alertmanager-bearer-token', 'dingtalk-app-secret');
my $scripts = getcwd() . '/scripts/hooks';

# Where answers go. What a script did shows there, too: its answer comes while it runs.
my $web = WebServer->new(handler => sub { return [ 200, { 'Content-Type' => 'application/json' }, '{"errcode":0}' ] });
my $here = "127.0.0.1:$web->{port}";
my $count = 0;
sub came { my ($path) = @_; return map { $_->{body} } grep { $_->{path} eq $path } $web->requests }
sub comes { my ($path, $like) = @_; return ok(wait_for(sub { grep { /$like/ } came($path) }, 30), "it is told: $like") || diag join "\n", came($path) }

sub write_file { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; print $out $text; close $out }

my $people = 'alice = { roles = { "dba" }, slack = "UALICE", dingtalk = "staff-alice" }, bob = { roles = { "dba" }, slack = "UBOB" },'
    . ' carol = { roles = { "dba" }, slack = "UCAROL" }';

sub config {
    my ($s, %with) = @_;
    my $dir = $s->{dir};
    my $who = $with{people} // $people;
    my $workers = $with{workers} // 1;
    $s->write_config(serve => "mode = 'auto', hook_workers = $workers, hook_queue = @{[ $with{queue} // 64 ]}", more => <<"LUA");
people = { $who },
  channels = { ops = { kind = "slack", url = { file = "$dir/ops.url" }, insecure = true, rate = 1000 } },
  scripts = {
    ["$dir/alert.lua"] = { grants = { "preview", "runbook", "instance:*" } },
    ["$scripts/kill.lua"] = { mode = "approve", grants = { "preview", "kill", "notify:ops", "instance:*" } },
    ["*"] = { grants = { "preview", "instance:*" } },
  },
  hooks = {
    slack = { platform = "slack", path = "/hooks/slack", verify = { secrets = { file = "$dir/slack.secret" } }, insecure = true,
      reply_hosts = { "$here" }, allow = { roles = { "dba" } }, commands = {
        run = { script = "$dir/run.lua", params = { { name = "n" } } }, slow = { script = "$dir/slow.lua" },
        kill = { script = "$scripts/kill.lua", params = { { name = "instance", type = "instance", required = true }, { name = "user" }, { name = "db" },
          { name = "host" }, { name = "command" }, { name = "info" }, { name = "time", type = "duration", default = "1s" },
          { name = "limit", type = "integer", min = 1, max = 20, default = 3 }, { name = "kind", type = "choice", choices = { "query", "connection" }, default = "query" },
          { name = "reason" }, { name = "channel", default = "ops", immutable = true }, { name = "role", default = "dba", immutable = true },
          { name = "need", type = "integer", default = 2, immutable = true } } } } },
    ding = { platform = "dingtalk", path = "/hooks/ding", verify = { secrets = { file = "$dir/ding.secret" } }, insecure = true,
      reply_hosts = { "$here" }, allow = { roles = { "dba" } }, commands = { run = { script = "$dir/run.lua" } } },
    alerts = { platform = "alertmanager", path = "/hooks/alerts", verify = { tokens = { file = "$dir/alerts.secret" } }, channel = "ops",
      script = "$dir/alert.lua" },
  },
LUA
}

# A das serve that dies at $fault; "": one that does not.
sub serve {
    my ($fault, %with) = @_;
    my $s = Serve->new(start => 0, keys => 0, instances => { orders => 'mem:tests/samples/recording.jsonl' });
    my $dir = $s->{dir};
    $s->{ops} = '/ops/' . ++$count;
    write_file("$dir/slack.secret", "$secret\n");
    write_file("$dir/alerts.secret", "$token\n");
    write_file("$dir/ding.secret", "$ding\n");
    write_file("$dir/ops.url", "http://$here$s->{ops}\n");
    chmod 0600, glob("$dir/*.secret"), "$dir/ops.url";
    write_file("$dir/run.lua", "local req = ...\nreq.reply('ran ' .. (req.args.n or ''))\n");
    write_file("$dir/slow.lua", "local req = ...\nreq.reply('slow began')\ndas.sleep(600)\nreq.reply('slow ended')\n");
    write_file("$dir/alert.lua", <<'LUA');
local req = ...
for _, a in ipairs(req.alert.alerts) do
  req.reply("alert " .. a.name)
  if a.name == "Slow" then das.sleep(600) end
  if a.name == "Runbook" then assert(req.runbook("book.lua", { instance = "orders" })) end
end
LUA
    write_file("$dir/book.lua", <<'LUA');
das.runbook{ name = "book", key = "book" }
das.step("look", function() return das.preview{ all = true } and 1 end)
LUA
    config($s, %with);
    $s->make_token('--name', 'all', '--actions', 'all', '--instances', '*');    # it wants one to start
    start($s, $fault);
    return $s;
}
sub start { my ($s, $fault) = @_; local $ENV{DAS} = $faults; $s->{env} = { DAS_FAULT => $fault || 'none' }; $s->start; return }
sub died { my ($s) = @_; my $r = Das::das_finish(delete $s->{run}); is($r->{exit}, 'signal 9', 'das serve dies'); return }
sub metric { my ($s, $line) = @_; return scalar $s->ask(GET => '/metrics', undef, key => undef)->{content} =~ /^\Q$line\E$/m }
sub rows { my ($s, $sql) = @_; my $n = `sqlite3 -cmd '.timeout 5000' '$s->{state}/das.db' "$sql"`; chomp $n; return $n }
sub nothing_kept { my ($s) = @_; return ok(wait_for(sub { rows($s, 'SELECT count(*) FROM hook_work') eq '0' }), 'nothing is kept any more') }

sub slack {
    my ($s, $text, %o) = @_;
    my $path = '/slack/' . ++$count;
    my $sent = HookSender::slack($secret, user_id => 'UALICE', text => $text, response_url => "http://$here$path", %o);
    return ($path, HookSender::post($s, '/hooks/slack', $sent), $sent);
}
# What was put into the line before it is done when it is.
sub through { my ($s) = @_; my ($path) = slack($s, 'run n=last'); ok(wait_for(sub { grep { /ran last/ } came($path) }, 30), 'a later one is done') or diag $s->log; return }
sub alert {
    my ($name, %o) = @_;
    return { status => 'firing', labels => { alertname => $name }, annotations => {}, startsAt => '2026-11-24T20:00:00Z', fingerprint => 'f' . ++$count, %o };
}
sub alerts { my ($s, @list) = @_; my $sent = HookSender::alertmanager($token, \@list); return (HookSender::post($s, '/hooks/alerts', $sent), $sent) }

plan skip_all => 'sqlite3 is not installed' if !grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};

# --- a command ------------------------------------------------------------------------------------------------------------------------
# where it dies, how often its script ran, how often somebody is told so, and what is said about it in the log after the start
for my $case ([ 'delivery-noted', 1, 0, qr/"taken up/ ], [ 'work-begun', 0, 1, qr/not done again/ ], [ 'hook-script-done', 1, 1, qr/not done again/ ],
    [ 'hook-answered', 1, 1, qr/not done again/ ], [ 'work-ended', 1, 0, undef ]) {
    my ($place, $runs, $told, $log) = @$case;
    subtest "a command, $place" => sub {
        my $s = serve($place);
        my ($path, undef, $sent) = slack($s, 'run n=it');
        died($s);
        is(rows($s, 'SELECT count(*) FROM hook_work'), $log ? 1 : 0, $log ? 'it is kept' : 'nothing is kept');
        is(scalar(grep { /ran it/ } came($path)), $place eq 'delivery-noted' ? 0 : $runs, 'by then it ran so often');
        start($s);
        ok(wait_for(sub { $s->log =~ $log }), 'the log has it') or diag $s->log if $log;
        nothing_kept($s);
        my $r = HookSender::post($s, '/hooks/slack', $sent);
        is($r->{status}, 200, 'the platform sends it again');
        unlike($r->{content}, qr/working on it/, 'which is a duplicate');
        through($s);
        my @came = came($path);
        is(scalar(grep { /ran it/ } @came), $runs, "it ran $runs times");
        is(scalar(grep { /run: das ended while it was at it/ } @came), $told, "somebody was told $told times that das ended");
        is(scalar(@came), $runs + $told, 'and nothing else');
        ok(metric($s, 'das_hook_left_total{platform="slack",result="' . ($told ? 'told' : 'taken_up') . '"} 1'), 'it is counted') if $log;
        is($s->stop->{exit}, 0, 'it ends in order');
        start($s);
        through($s);
        is(scalar(came($path)), $runs + $told, 'another start changes nothing');
        is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
    };
}

subtest 'a start that dies, too' => sub {
    my $s = serve('delivery-noted');
    my ($path) = slack($s, 'run n=it');
    died($s);
    start($s, 'work-begun');
    died($s);
    start($s, 'hook-answered');
    comes($path, qr/das ended while/) for 1;
    nothing_kept($s);
    is(scalar(grep { /ran it/ } came($path)), 0, 'what was begun once is not done later');
};

# --- alerts ---------------------------------------------------------------------------------------------------------------------------
subtest 'an alert of the night' => sub {
    my $s = serve('delivery-noted:2');
    my $old = alert('Old');
    my ($r) = alerts($s, $old);
    comes($s->{ops}, qr/alert Old/);
    (undef, my $sent) = alerts($s, $old, alert('Night'));
    died($s);
    start($s);
    comes($s->{ops}, qr/alert Night/);
    is(HookSender::post($s, '/hooks/alerts', $sent)->{status}, 200, 'Alertmanager sends the group again');
    through($s);
    is(scalar(grep { /alert Night/ } came($s->{ops})), 1, 'it was done once');
    is(scalar(grep { /alert Old/ } came($s->{ops})), 1, 'and what was old in its group was not done again');
    nothing_kept($s);
};

subtest 'an alert, begun' => sub {
    my $s = serve('');
    alerts($s, alert('Slow'));
    comes($s->{ops}, qr/alert Slow/);
    $s->crash;
    start($s);
    comes($s->{ops}, qr/alerts: das ended while it was at it, and does not do it again/);
    through($s);
    is(scalar(came($s->{ops})), 2, 'the channel hears that, and the alert is not done again');
    ok(metric($s, 'das_hook_left_total{platform="alertmanager",result="told"} 1'), 'it is counted');
    nothing_kept($s);
};

# --- runbooks -------------------------------------------------------------------------------------------------------------------------
for my $place ('delivery-noted', 'work-kept', 'hook-script-done', 'work-begun:2', 'runbook-before-start', 'step-begun', 'step-ended', 'runbook-ended', 'hook-script-done:2', 'hook-answered:2') {
    subtest "a runbook, $place" => sub {
        my $s = serve($place);
        alerts($s, alert('Runbook'));
        died($s);
        start($s);
        my $books = sub { return [ map { JSON::PP->new->decode($_) } grep { /^\{/ } split /\n/, das($s->opt, 'runbook', 'list', '-o', 'json')->{out} ] };
        ok(wait_for(sub { my $l = $books->(); @$l == 1 && $l->[0]{status} eq 'done' }, 30), 'it is begun, and done') or diag explain [ $books->(), $s->log ];
        nothing_kept($s);
        through($s);
        is(scalar(@{ $books->() }), 1, 'once');
        is(scalar(grep { /alert Runbook/ } came($s->{ops})), 1, 'the script ran once');
    };
}

# --- votes ----------------------------------------------------------------------------------------------------------------------------
for my $place ('delivery-noted', 'approval-before-commit', 'approval-after-commit', 'work-ended') {
    subtest "a vote, $place" => sub {
        my $s = serve('');
        my ($path) = slack($s, 'kill orders user=shop_app command=Sleep limit=1 kind=connection reason="too long"');
        comes($path, qr/Asked for the kill/);
        ok(wait_for(sub { grep { /das:approval/ } came($s->{ops}) }), 'there is a button');
        my ($yes) = join('', came($s->{ops})) =~ /"value":"(das:approval:[^"]*:y)"/;
        my ($id) = $yes =~ /das:approval:([^:]+):/;
        $s->stop;
        start($s, $place);
        my $url = '/slack/' . ++$count;
        HookSender::post($s, '/hooks/slack', HookSender::slack_button($secret, 'UBOB', $yes, "http://$here$url"));
        died($s);
        start($s);
        nothing_kept($s);
        my $votes = JSON::PP->new->decode(das($s->opt, 'approvals', 'show', $id, '-o', 'json')->{out})->{votes};
        is(scalar(@$votes), 1, 'it counts once');
        comes($url, $place eq 'approval-after-commit' ? qr/one vote each/ : qr/counted: 1 of 2/);
    };
}

# --- the end in order -----------------------------------------------------------------------------------------------------------------
subtest 'SIGTERM: what waits stays, in its order' => sub {
    my $s = serve('');
    my ($slow) = slack($s, 'slow');
    comes($slow, qr/slow began/);
    my @paths = map { (slack($s, "run n=$_"))[0] } 1 .. 5;
    alerts($s, alert('Waits'));
    ok(metric($s, 'das_hooks_waiting 6'), 'six wait');
    is($s->stop->{exit}, 0, 'it ends in order');
    comes($slow, qr/slow: das ended while it was at it/);
    is(rows($s, 'SELECT count(*) FROM hook_work'), 6, 'those who wait are kept');
    my $mark = () = $web->requests;
    start($s);
    comes($s->{ops}, qr/alert Waits/);
    nothing_kept($s);
    my @order = map { $_->{body} =~ /(ran \d|alert \w+)/ } ($web->requests)[ $mark .. $mark + 5 ];
    is_deeply(\@order, [ (map { "ran $_" } 1 .. 5), 'alert Waits' ], 'and done in their order');
    through($s);
    is(scalar(came($_)), 1, "$_ once") for @paths;
    is(scalar(grep { /slow began/ } came($slow)), 1, 'what ran then is not done again');
    unlike(join("\n", map { "@$_" } map { [ came($_) ] } $slow), qr/slow ended/, 'nor ended');
};

subtest 'more is left than has room' => sub {
    my $s = serve('');
    my ($slow) = slack($s, 'slow');
    comes($slow, qr/slow began/);
    my @paths = map { (slack($s, "run n=$_"))[0] } 1 .. 5;
    $s->crash;
    config($s, queue => 1);
    my $mark = () = $web->requests;
    start($s);
    comes($paths[4], qr/ran 5/);
    nothing_kept($s);
    my @order = map { $_->{body} =~ /(ran \d|slow: das ended)/ } ($web->requests)[ $mark .. $mark + 5 ];
    is_deeply(\@order, [ 'slow: das ended', map { "ran $_" } 1 .. 5 ], 'all of it comes, one after the other');
};

# --- two of them ----------------------------------------------------------------------------------------------------------------------
subtest 'two das serve on one state directory' => sub {
    my $s = serve('');
    my $other = Serve->new(start => 0, keys => 0, instances => $s->{instances});
    @$other{qw(state dir)} = @$s{qw(state dir)};
    config($other);
    start($other);
    my ($slow) = slack($s, 'slow');
    comes($slow, qr/slow began/);
    my @paths = map { (slack($s, "run n=$_"))[0] } 1 .. 8;
    my ($busy) = slack($other, 'slow');
    comes($busy, qr/slow began/);
    my ($later) = slack($other, 'run n=later');
    is(rows($s, 'SELECT count(*) FROM hook_work'), 11, 'both have something to do');
    $s->crash;
    my $third = Serve->new(start => 0, keys => 0, instances => $s->{instances});
    @$third{qw(state dir)} = @$s{qw(state dir)};
    config($third);
    start($third);
    ok(wait_for(sub { $other->log . $third->log =~ /taken up.*taken up/s }), 'those that live take over what the one that died has left');
    ok(wait_for(sub { rows($s, "SELECT count(*) FROM hook_work WHERE run NOT IN (SELECT run FROM hook_work WHERE begun <> '')") eq '0' }), 'all of it');
    $other->crash; # whatever it took it has not done: it is busy
    ok(wait_for(sub { rows($s, 'SELECT count(*) FROM hook_work') eq '0' }, 30), 'and of the second that dies') or diag $third->log;
    comes($later, qr/ran later/);
    is(scalar(grep { /ran/ } came($_)), 1, "$_ once") for @paths, $later;
    is(scalar(grep { /das ended while/ } came($_)), 1, 'who had begun is told once') for $slow, $busy;
};

# --- what is not worth it any more, and what is not allowed any more ------------------------------------------------------------------
subtest 'a command that is too old' => sub {
    my $s = serve('delivery-noted');
    my $path = '/ding/' . ++$count;
    my $until = int(time + 2) * 1000;
    HookSender::post($s, '/hooks/ding', HookSender::dingtalk($ding, 'staff-alice', 'run', "http://$here$path", sessionWebhookExpiredTime => $until));
    died($s);
    sleep 0.1 until time * 1000 > $until;
    start($s);
    ok(wait_for(sub { $s->log =~ /dropped: taken \d+ s ago, and das ended before it was begun: its time is over/ }), 'the log has it') or diag $s->log;
    nothing_kept($s);
    through($s);
    is(scalar(came($path)), 0, 'nobody does it, and nobody is told');
    ok(metric($s, 'das_hook_left_total{platform="dingtalk",result="dropped"} 1'), 'it is counted');
};

subtest 'somebody who may no more' => sub {
    my $s = serve('delivery-noted');
    my ($path) = slack($s, 'run n=it', user_id => 'UBOB');
    died($s);
    config($s, people => $people =~ s/bob = \{[^}]*\}[^}]*\},//r);
    start($s);
    comes($path, qr/das does not know you/);
    nothing_kept($s);
    through($s);
    is(scalar(grep { /ran/ } came($path)), 0, 'it is not done');
};

# --- what is on the disk --------------------------------------------------------------------------------------------------------------
subtest 'secrets' => sub {
    my $s = serve('delivery-noted:3');
    my ($slow) = slack($s, 'slow');
    my ($path) = slack($s, 'run n=verysecretword', token => 'verification-token-of-old');
    slack($s, 'run');
    died($s);
    cmp_ok(rows($s, 'SELECT count(*) FROM hook_work'), '>=', 2, 'some are kept');
    my $disk = join '', map { open my $in, '<:raw', $_ or die "$_: $!"; local $/; <$in> } grep { !/serve\.key$/ && -f } glob("$s->{state}/* $s->{state}/*/*");
    ok(index($disk, 'hook_work') > 0, 'the database is read');
    is(index($disk, $_), -1, "no $_") for $path, $slow, 'verysecretword', 'verification-token-of-old', 'UALICE';
    rename "$s->{state}/serve.key", "$s->{dir}/away" or die;
    start($s);
    ok(wait_for(sub { $s->log =~ /dropped.*cannot be opened with serve\.key/ }), 'with another serve.key it cannot be opened') or diag $s->log;
    nothing_kept($s);
    is(scalar(came($path)), 0, 'and is not done');
};

done_testing();
