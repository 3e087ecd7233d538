#!/usr/bin/perl
# long_chat.t - a day in chats on a clock that the test moves, with a real database: approvals up to their last second and
# beyond, a death between the last yes and the kill, links, forms and tokens that age, requests that were signed too long ago or
# come again, and results that come when the address for them is none any more.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use Digest::SHA qw(hmac_sha256_hex);
use HTTP::Tiny;
use JSON::PP;
use Test::More;
use Das qw(das das_finish wait_for);
use MariaDB;
use Story;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my ($MINUTE, $HOUR, $DAY) = (60, 3600, 86400);
my $scripts = File::Temp::tempdir('das-long-XXXXXX', TMPDIR => 1, CLEANUP => 1);
sub put { my ($name, $text) = @_; open my $out, '>', "$scripts/$name" or die; chmod 0600, $out; print $out $text; close $out; return "$scripts/$name" }

put('slow.lua', 'local req = ... repeat das.sleep(0.1) until #das.instance("orders"):preview{ user = "go", info = "~" .. req.args.what } > 0'
    . ' req.reply{ text = "the result of " .. req.args.what }');
put('seen.lua', 'local req = ... req.reply{ text = "github says " .. req.json.zen, public = true }');
put('github.secret', "it's a secret to everybody\n");
my $story = Story->new(chats => [qw(Slack DingTalk)],
    commands => qq{slow = { script = "$scripts/slow.lua", params = { { name = "what", required = true } } },},
    of_hooks => ', timeout = "1h"',
    hooks => qq{github = { platform = "github", path = "/hooks/github", verify = { secrets = { file = "$scripts/github.secret" } }, script = "$scripts/seen.lua", channel = "slack" }},
    scripts => '["*"] = { mode = "approve", limits = { wall = "1h" }, grants = { "preview", "kill", "notify", "instance:*" } }');
my ($s, $slack, $ding) = @$story{qw(serve slack dingtalk)};
$story->{db}->sql('CREATE USER go@localhost');
$s->start;

sub state_is { my ($id, $state, $what) = @_; return ok(wait_for(sub { ($story->approval($id)->{state} // '') eq $state }, 30), $what)
    || diag explain $story->approval($id), substr $s->log, -3000 }
sub told { my ($chat, $who, $like, $from, $what) = @_; my $m = $chat->wait_for($who, $like, $from);
    ok($m, $what) or diag join "\n--\n", (map { ($_->{only} // 'all') . ": $_->{text}" } grep { $_->{n} >= $from } $chat->messages), substr $s->log, -3000;
    return $m // { text => '', buttons => [] } }

# The clock does not move while a message is on its way, for which that would be a long way.
sub calm {
    wait_for(sub { !grep { $_->{state} eq 'sending' || $_->{state} eq 'waiting' && $_->{due_ms} <= Clock::now_ms() } @{ $story->das_json('notify', '--queue') } }, 30)
        or die "messages are not sent\n";
}
sub later { my ($seconds) = @_; calm(); return Clock::forward($seconds) }

# --- approvals -----------------------------------------------------------------------------------------------------------
my $policy = put('policy.lua', <<'LUA');
local round, ttl, channel = das.args[1], das.args[2], das.args[3]
local plan = das.preview{ user = "app%", info = "~round " .. round }:plan{ kill = "connection", reason = "round " .. round }
print(assert(plan:request_approval{ channel = channel, approvers = { roles = { "dba" } }, need = 2, ttl = ttl }).id)
LUA

# The message that asks, the request's id, and whom it is about.
sub request {
    my ($chat, $ttl) = @_;
    my @ids = $story->round;
    my $n = $chat->so_far;
    my $r = das($s->opt, 'run', '--apply', '-i', 'orders', $policy, $story->{rounds}, $ttl, $chat->{name});
    my ($id) = $r->{out} =~ /^([0-9a-f]{12})$/m or die "not asked: $r->{err}";
    return (told($chat, bob => qr/das approve $id/, $n, "three are asked for, for $ttl"), $id, @ids);
}
sub press { my ($ask, $who, $like, $what) = @_; my $n = $slack->so_far; $slack->press($who, $ask, 'Approve'); return told($slack, $who, $like, $n, $what) }
sub first_yes {
    my ($ask, $what) = @_;
    press($ask, bob => qr/counted: 1 of 2/, $what);
    ok(wait_for(sub { $slack->find($ask->{id})->{edits} > 0 }, 30), 'the message shows it');
}
sub until_end { my ($id, $left) = @_; calm(); return Clock::to($story->approval($id)->{expires_ms} / 1000 - $left) }
sub nobody_died { my (@ids) = @_; return is_deeply($story->alive(@ids), [ 1, 1, 1, 1 ], 'nobody has died') }
sub they_died { my (@ids) = @_; is_deeply($story->there(@ids), [ 0, 0, 0, 1 ], 'exactly those who were asked for have died'); $story->end_round(@ids) }

subtest 'twelve hours, and the last yes just in time' => sub {
    my ($ask, $id, @ids) = request($slack, '12h');
    first_yes($ask, 'bob says yes at once');
    later(6 * $HOUR);
    is($s->crash->{exit}, 'signal 9', 'das serve dies after six hours');
    $s->start;
    until_end($id, 60);
    is($story->approval($id)->{state}, 'waiting', 'a minute before its time is over it waits');
    nobody_died(@ids);
    press($ask, carol => qr/approved: the plan is carried out now/, 'carol says yes');
    state_is($id, 'applied', 'it is carried out');
    they_died(@ids);
    ok(wait_for(sub { $slack->find($ask->{id})->{text} =~ /approved by bob, carol; 3 killed/ }), 'the message says so') or diag $slack->find($ask->{id})->{text};
};

subtest 'twelve hours, and no last yes' => sub {
    my ($ask, $id, @ids) = request($slack, '12h');
    first_yes($ask, 'bob says yes');
    until_end($id, -1);
    state_is($id, 'expired', 'then it is over, by itself');
    ok(wait_for(sub { $slack->find($ask->{id})->{text} =~ /expired/ && !@{ $slack->find($ask->{id})->{buttons} } }), 'the message says so, and has no buttons')
        or diag explain $slack->find($ask->{id});
    press($ask, carol => qr/it expired at/, 'carol is too late, and told');
    state_is($id, 'expired', 'it stays over');
    nobody_died(@ids);
    is((grep { $_ eq 'expired' } $story->steps($id)), 1, 'the journal has it once');
    $story->end_round(@ids);
};

# The last yes is in the state database, and nobody has begun.
for my $case ([ 'four minutes', 240, 'applied' ], [ 'seven minutes', 420, 'failed' ]) {
    my ($words, $after, $state) = @$case;
    subtest "the last yes in the last second, and das serve is away for $words" => sub {
        my ($ask, $id, @ids) = request($slack, '10m');
        first_yes($ask, 'bob says yes');
        until_end($id, 15);
        $s->stop;
        $s->{env} = { DAS_FAULT => 'approval-after-commit' };
        $s->start;
        $slack->press(carol => $ask, 'Approve');
        is(das_finish(delete $s->{run})->{exit}, 'signal 9', 'das serve dies with the yes of carol on the disk');
        delete $s->{env};
        is($story->approval($id)->{state}, 'approved', 'it is approved');
        nobody_died(@ids);
        until_end($id, -$after);
        $s->start;
        state_is($id, $state, "$words after its time it is $state");
        if ($state eq 'applied') { they_died(@ids) }
        else { nobody_died(@ids); like($story->approval($id)->{note}, qr/expired|too old/, 'and why'); $story->end_round(@ids) }
    };
}

# --- links, forms, tokens ----------------------------------------------------------------------------------------------------
subtest 'forms and tokens age' => sub {
    $story->make_keys;    # of 24 h, from now
    $s->stop;
    $story->write_config;
    $s->start;
    my ($ask, $id, @ids) = request($ding, '12h');
    my %link = map { /page of (\w+)\W+(http\S+\/approvals\/[0-9a-f]{48})/ ? ($1 => $2) : () } split /\n/, $ask->{text} =~ s/(page of \w+)\n/$1 /gr;
    is_deeply([ sort keys %link ], [qw(bob carol)], 'a link for each') or return;
    my $form = sub { my ($who) = @_; my $page = HTTP::Tiny->new->get($link{$who})->{content}; return { map { $page =~ /name="$_" value="(\w+)"/ ? ($_ => $1) : () } qw(form plan) } };
    my $send = sub { my ($who, $form) = @_; return HTTP::Tiny->new->post_form($link{$who}, { %$form, token => $story->{token}{$who}, decision => 'approve' })->{status} };
    my $old = $form->('bob');
    later(16 * $MINUTE);
    is($send->('bob', $old), 403, 'a form is good for 15 minutes');
    is(scalar @{ $story->approval($id)->{votes} || [] }, 0, 'and does not count afterwards');
    $old = $form->('bob');
    later(14 * $MINUTE);
    is($send->('bob', $old), 200, 'one that is 14 minutes old does');
    later(11 * $HOUR);
    is($send->('carol', $form->('carol')), 200, 'a link lives as long as its request, a token for its day');
    state_is($id, 'applied', 'it is carried out');
    they_died(@ids);
    later(14 * $HOUR);
    my ($ask2, $id2, @ids2) = request($ding, '1h');
    ($link{bob}) = $ask2->{text} =~ /page of bob\W+(http\S+\/approvals\/[0-9a-f]{48})/;
    is($send->('bob', $form->('bob')), 403, 'with a token of yesterday nobody decides');
    is($s->ask(GET => "/v3/$Serve::PROJECT/approvals", undef, token => $story->{token}{bob})->{status}, 401, 'nor asks');
    like(das($s->opt, 'token', 'list')->{out}, qr/bob .* expired$/m, 'das token list says why');
    is(scalar @{ $story->approval($id2)->{votes} || [] }, 0, 'no vote');
    nobody_died(@ids2);
    $story->end_round(@ids2);
};

subtest 'signatures of the API age, and so does a lockout' => sub {
    my $key = $s->{key};
    my $date = sub { return POSIX::strftime('%Y%m%dT%H%M%SZ', gmtime) };
    my $list = sub { my ($d, %as) = @_; return $s->ask(GET => "/v3/$Serve::PROJECT/approvals", undef, key => { %$key, %as }, date => $d)->{status} };
    my $signed = $date->();
    is($list->($signed), 200, 'signed now');
    later(14 * $MINUTE);
    is($list->($signed), 200, 'signed 14 minutes ago');
    later(2 * $MINUTE);
    is($list->($signed), 401, 'signed 16 minutes ago');
    is($list->($date->(), secret => 'wrong'), 401, 'with a wrong secret') for 1 .. 5;
    is($list->($date->()), 401, 'then not with the right one either') or diag substr $s->log, -1500;
    later(4 * $MINUTE);
    is($list->($date->()), 401, 'for five minutes');
    later(2 * $MINUTE);
    is($list->($date->()), 200, 'and then again');
};

# --- a question of a runbook -------------------------------------------------------------------------------------------------
subtest 'a question over a weekend' => sub {
    my $book = put('book.lua', <<'LUA');
das.runbook{ name = "weekend", timeout = "20d", params = { n = { type = "integer" } }, key = function(p) return "n" .. p.n end }
local choice, who = das.step.ask{ name = "go", question = "Go on?", choices = { "yes", "no" }, default = "no", channel = "slack", approvers = { "role:dba" }, ttl = "3d" }
das.step("end", function() return { choice = choice, who = who or "nobody" } end)
LUA
    my $begin = sub {
        my ($n) = @_;
        my $from = $slack->so_far;
        my $r = das($s->opt, 'runbook', 'run', '-i', 'orders', '--param', "n=$n", $book);
        my ($id) = $r->{err} =~ /run (\d+) asks/ or die $r->{err};
        return ($id, told($slack, bob => qr/Question of weekend/, $from, 'the channel is asked'));
    };
    my $run = sub { return $story->das_json('runbook', 'show', $_[0]) };
    my $done = sub { my ($id, $want, $what) = @_; ok(wait_for(sub { $run->($id)->{status} eq 'done' }, 30), $what); is_deeply($run->($id)->{steps}[-1]{result}, $want, 'as it was said') };
    my ($id, $ask) = $begin->(1);
    later(2 * $DAY);
    $s->crash;
    $s->start;
    $slack->press(bob => $ask, 'yes');
    $done->($id, { choice => 'yes', who => 'bob' }, 'bob presses yes after two days');
    ($id, $ask) = $begin->(2);
    later(3 * $DAY + 1);
    $done->($id, { choice => 'no', who => 'nobody' }, 'nobody does for three');
    ok(wait_for(sub { !@{ $slack->find($ask->{id})->{buttons} } }, 30), 'the message has no buttons then') or diag explain $slack->find($ask->{id});
    my $n = $slack->so_far;
    $slack->press(carol => $ask, 'yes');
    told($slack, carol => qr/\w/, $n, 'carol is told that she is too late');
    is_deeply($run->($id)->{steps}[-1]{result}, { choice => 'no', who => 'nobody' }, 'and does not count');
};

# --- requests that are old, or come again --------------------------------------------------------------------------------------
subtest 'signed too long ago' => sub {
    my $n = $slack->so_far;
    my $held = time;
    is($slack->type(alice => 'status', at => $held)->{status}, 200, 'signed just now');
    my $first = $slack->{last};
    told($slack, alice => qr/das is ready/, $n, 'is answered');
    later(4 * $MINUTE);
    $n = $slack->so_far;
    is($slack->type(alice => 'status', at => $held)->{status}, 200, 'signed four minutes ago');
    told($slack, alice => qr/das is ready/, $n, 'is answered');
    later(2 * $MINUTE);
    $n = $slack->so_far;
    is($slack->type(alice => 'status', at => $held)->{status}, 401, 'signed six minutes ago');
    is($slack->type(alice => 'status', at => time + 6 * $MINUTE)->{status}, 401, 'and in six minutes');
    is($slack->replay($first)->{status}, 401, 'what was taken once is too old as well');
    is($slack->type(alice => 'status')->{status}, 200, 'signed now');
    told($slack, alice => qr/das is ready/, $n, 'is answered');
    is((grep { $_->{text} =~ /das is ready/ && $_->{n} >= $n } $slack->messages), 1, 'the others were not');
};

subtest 'a signature that comes again' => sub {
    my $n = $ding->so_far;
    is($ding->type(alice => 'status')->{status}, 200, 'of a time and not of a message, as DingTalk has it');
    my $first = $ding->{last};
    told($ding, alice => qr/das is ready/, $n, 'is answered');
    my ($headers, $body, $opt) = @$first;
    my $other = [ $headers, $body =~ s/"msgId":"[^"]*"/"msgId":"another"/r, $opt ];
    $n = $ding->so_far;
    later(50 * $MINUTE);
    $s->crash;
    $s->start;
    is($ding->replay($other)->{status}, 401, 'within its hour, with another body, after a restart: refused');
    is($ding->replay($first)->{status}, 200, 'with the same one: taken for what it is');
    later(20 * $MINUTE);
    is($ding->replay($_)->{status}, 401, 'after its hour it is too old') for $first, $other;
    later(3 * $DAY);
    is($ding->replay($_)->{status}, 401, 'and is when nobody remembers it') for $first, $other;
    is($ding->type(alice => 'status')->{status}, 200, 'a new one');
    told($ding, alice => qr/das is ready/, $n, 'is answered');
    is((grep { $_->{text} =~ /das is ready/ && $_->{n} >= $n } $ding->messages), 1, 'and it alone');
};

subtest 'a signature without a time' => sub {
    my $send = sub {
        my ($delivery, $zen) = @_;
        my $body = encode_json({ zen => $zen });
        return HTTP::Tiny->new->post($s->base . '/hooks/github', { content => $body, headers => { 'Content-Type' => 'application/json', 'X-GitHub-Event' => 'push',
            'X-GitHub-Delivery' => $delivery, 'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, "it's a secret to everybody") } })->{status};
    };
    my $said = sub { return scalar grep { $_->{text} =~ /github says $_[0]/ } $slack->messages };
    my ($n, $id) = (0, '72d3162e-cc78-11e3-81ab-4c9367dc0958');
    cmp_ok($send->($id, 'one'), '<', 300, 'a delivery');
    ok(wait_for(sub { $said->('one') == 1 }, 30), 'is told') or diag substr $s->log, -2000;
    later(29 * $DAY);
    cmp_ok($send->($id, 'one'), '<', 300, 'after 29 days it is known still');
    $send->('72d3162e-cc78-11e3-81ab-000000000002', 'two');
    ok(wait_for(sub { $said->('two') == 1 }, 30), 'another one is told');
    is($said->('one'), 1, 'and this one was not');
    later(31 * $DAY);
    $send->($id, 'one');
    ok(wait_for(sub { $said->('one') == 2 }, 30), 'a month after it came last it is forgotten: nothing in it says how old it is');
};

# --- results whose address is none any more --------------------------------------------------------------------------------------
# Which way the result of a script comes that takes so long.
sub result_after {
    my ($chat, $what, $minutes, %opt) = @_;
    my $n = $chat->so_far;
    $chat->type(alice => "slow $what", %opt);
    ok(wait_for(sub { $s->ask(GET => '/metrics', undef, key => undef)->{content} =~ /^das_hooks_running [1-9]/m }, 30), 'a script is at work');
    later($minutes * $MINUTE);
    my $go = $story->{herd}->add('go', '', "SELECT SLEEP(900) /* $what */");
    my $m = told($chat, alice => qr/the result of $what/, $n, "its result comes after $minutes minutes");
    is((grep { $_->{text} =~ /the result of $what/ } $chat->messages), 1, 'once');
    return $m;
}
like(result_after($slack, 'one', 28)->{id}, qr/^r/, 'Slack: to response_url, which is good for half an hour');
unlike(result_after($slack, 'two', 32)->{id}, qr/^r/, 'then to the channel');
result_after($ding, 'three', 15, lives => 20 * $MINUTE);
is((grep { $_->{path} =~ /sendBySession/ && $_->{body} =~ /result of three/ } $ding->{web}->requests), 1, 'DingTalk: to the session webhook, until it says');
result_after($ding, 'four', 25, lives => 20 * $MINUTE);
is((grep { $_->{path} =~ /sendBySession/ && $_->{body} =~ /result of four/ } $ding->{web}->requests), 0, 'then not');
is((grep { $_->{path} =~ m{/robot/send\?} && $_->{body} =~ /result of four/ } $ding->{web}->requests), 1, 'but to the channel');
{
    my $n = $slack->so_far;
    $s->stop;
    $s->write_config(more => $s->{more} =~ s/channel = 'slack', (allow)/$1/r);
    $s->start;
    $slack->type(alice => 'slow five');
    ok(wait_for(sub { $s->ask(GET => '/metrics', undef, key => undef)->{content} =~ /^das_hooks_running [1-9]/m }, 30), 'a script is at work');
    later(32 * $MINUTE);
    $story->{herd}->add('go', '', 'SELECT SLEEP(900) /* five */');
    ok(wait_for(sub { $s->log =~ /reply: there is nowhere to send it/ }, 30), 'without a channel the log says that a result went nowhere') or diag substr $s->log, -2000;
    is((grep { $_->{text} =~ /the result of five/ } $slack->messages), 0, 'and it did not');
}
is_deeply([ map { $_->faults } $slack, $ding ], [], 'nothing that das sent was refused');
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
is($s->stop->{exit}, 0, 'das serve ends');
done_testing;
