#!/usr/bin/perl
# ask_ends.t - questions of runbooks in chats, and all the ways in which they end: by the command line, by nobody in time, with
# the run, by somebody whom the hook lets in; on a platform that can edit and on one that cannot; and das that dies at every place
# between the question and its message, and between the answer and its message: each comes once.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use Chat;
use Chat::Slack;
use Chat::WeCom;
use Cwd ();
use JSON::PP;
use Test::More;
use Das;
use Serve;

my %people = (bob => 'U0BOB', carol => 'U0CAROL', eve => 'U0EVE', mallory => 'U0MALLORY');
my $slack = Chat::Slack->new(people => \%people);
my $wecom = Chat::WeCom->new(people => \%people);
my $s = Serve->new(start => 0, keys => 0, instances => { orders => 'mem:tests/samples/recording.jsonl', more => 'mem:tests/samples/recording.jsonl' });
$slack->meet($s->base);

# Who is in das.lua, and what: bob and carol may use the hook, eve may not.
my $status = Cwd::abs_path('scripts/hooks/status.lua');
sub write_config {
    my (%opt) = @_;
    my $grants = $opt{grants} // '"preview", "notify", "instance:*"';
    my $channels = join ', ', map { "$_->{name} = " . $_->channel } grep { $_->{name} ne ($opt{without} // '') } $slack, $wecom;
    $s->write_config(more => "people = { bob = { roles = { 'dba' }, slack = 'U0BOB' }, carol = { roles = { 'dev' }, slack = 'U0CAROL' },"
        . " eve = { roles = { 'guest' }, slack = 'U0EVE' } }, channels = { $channels },"
        . ' hooks = { slack = ' . $slack->hook("allow = { roles = { 'dba', 'dev' } }, commands = { status = { script = '$status' } }") . ' },'
        . " scripts = { ['*'] = { grants = { $grants } } },");
}
write_config();

my $n = 0;
sub book {
    my ($options) = @_;
    my $name = 'book' . ++$n;
    open my $out, '>', "$s->{dir}/$name.lua" or die;
    print $out <<"LUA";
das.runbook{ name = "$name", timeout = "30d" }
local choice, who = das.step.ask{ name = "go", question = "Kill 3 of them?", choices = { "leave", "kill" }, $options }
das.step("end", function() return { choice = choice, who = who } end)
LUA
    close $out;
    return ($name, "$s->{dir}/$name.lua");
}
sub runbook { my $more = ref $_[0] ? shift : {}; my $opt = $s->opt; $opt->{env} = { %{ $opt->{env} }, %$more }; return das($opt, 'runbook', @_) }
sub runs { return map { decode_json($_) } split /\n/, runbook('list', '-o', 'json')->{out} }
sub id_of { my ($script) = @_; return (map { $_->{id} } grep { $_->{script} eq $script } runs())[0] // BAIL_OUT("no run of $script") }
sub begin {
    my ($options) = @_;
    my ($name, $script) = book($options);
    my $r = runbook('run', '-i', 'orders', $script);
    is($r->{exit}, 0, "$name asks: $options") or diag $r->{err};
    return (id_of($script), $name);
}
sub show { return decode_json(runbook('show', $_[0], '-o', 'json')->{out}) }
sub status_is { my ($id, $status, $what) = @_; return ok(wait_for(sub { show($id)->{status} eq $status }, 30), $what) || diag explain show($id) }
sub of { my ($chat, $name) = @_; return grep { $_->{text} =~ /\b\Q$name\E: go\b/ } $chat->messages }
sub is_edited {
    my ($asked, $like, $what) = @_;
    ok(wait_for(sub { ($slack->find($asked->{id})->{text} // '') =~ $like }, 30), $what) or diag explain [ $slack->messages ];
    is_deeply($slack->find($asked->{id})->{buttons}, [], '... without buttons');
}

# --- what is no channel --------------------------------------------------------------------------------------------
subtest 'mistakes' => sub {
    my (undef, $script) = book('channel = "slak"');
    my $r = runbook('run', '-i', 'orders', $script);
    is($r->{exit}, 1, 'a channel that das.lua has not');
    like($r->{err}, qr/ask: channel: .*slak/, 'is named');
    (undef, $script) = book('channel = "slack"');
    for my $grants ('"preview", "instance:*"', '"preview", "notify:wecom", "instance:*"') {
        write_config(grants => $grants);
        $r = runbook('run', '-i', 'orders', $script);
        is($r->{exit}, 1, "grants: $grants");
        like($r->{err}, qr/not granted: notify:slack/, 'what is missing is named');
    }
    write_config(grants => '"preview", "notify:slack", "instance:*"');
    is(runbook('run', '-i', 'orders', $script)->{exit}, 0, 'with the grant of the one channel it asks');
    is(runbook('cancel', id_of($script))->{exit}, 0, 'enough');
    write_config();
};

# --- ends ----------------------------------------------------------------------------------------------------------
$s->start;

subtest 'answered at a terminal' => sub {
    my ($id, $name) = begin('channel = "slack", default = "leave", ttl = "2h"');
    my $asked = $slack->wait_for(bob => qr/Question of $name/);
    ok($asked, 'it is in the chat') or return;
    like($asked->{text}, $_, 'which says ' . $_) for qr/Kill 3 of them\?/, qr/das runbook answer $id 1 leave\|kill/, qr/until\W+\d{4}-\d\d-\d\dT/, qr/otherwise\W+leave/, qr/\borders\b/;
    is(runbook('answer', $id, 'go', 'kill', '--reason', 'INC-4711')->{exit}, 0, 'somebody answers at a terminal');
    is_edited($asked, qr/Answered: $name.*kill, says .*INC-4711/s, 'the message shows it');
    status_is($id, 'done', 'das serve goes on');
    my $from = $slack->so_far;
    $slack->press(bob => $asked, 'leave');
    ok($slack->wait_for(bob => qr/was answered already/, $from), 'a click is late');
    my ($answer) = grep { $_->{event} eq 'answered' } map { decode_json($_) } split /\n/, das($s->opt, 'audit', 'list', '--kind', 'runbook', '-o', 'json')->{out};
    is($answer->{via}, 'cli', 'the journal says where it was answered');
};

subtest 'where nothing is edited' => sub {
    my ($id, $name) = begin('channel = "wecom"');
    my $asked = $wecom->wait_for(bob => qr/Question of .*$name/);
    ok($asked, 'it is in the chat') or return;
    like($asked->{text}, qr/das runbook answer $id 1 leave\\?\|kill/, 'with the command');
    is(runbook('answer', $id, 'go', 'kill')->{exit}, 0, 'it is answered');
    ok($wecom->wait_for(bob => qr/Answered: .*$name.*kill, says/s), 'which another message says');
    is(scalar(of($wecom, $name)), 2, 'two in all');
};

subtest 'nobody answers' => sub {
    my ($id, $name) = begin('channel = "slack", default = "leave", ttl = "2h"');
    my $asked = $slack->wait_for(bob => qr/Question of $name/);
    ok($asked, 'it is in the chat') or return;
    Clock::forward(2 * 3600 + 1);
    my $from = $slack->so_far;
    $slack->press(bob => $asked, 'kill');
    ok($slack->wait_for(bob => qr/Not counted/, $from), 'a click is too late') or diag explain [ $slack->messages ];
    is_edited($asked, qr/Expired: $name.*Nobody answered in time, so it is leave/s, 'the message shows what happens instead');
    status_is($id, 'done', 'the run goes on');
    is((grep { $_->{name} eq 'end' } @{ show($id)->{steps} })[0]{result}{choice}, 'leave', 'with the default');
};

subtest 'cancelled' => sub {
    my ($id, $name) = begin('channel = "slack"');
    my $asked = $slack->wait_for(bob => qr/Question of $name/);
    ok($asked, 'it is in the chat') or return;
    is(runbook('cancel', $id, '--reason', 'solved by itself')->{exit}, 0, 'its run is cancelled');
    is_edited($asked, qr/Over: $name.*cancelled.*solved by itself/s, 'the message shows it');
    my $from = $slack->so_far;
    $slack->press(bob => $asked, 'kill');
    ok($slack->wait_for(bob => qr/Not counted: runbook $id has ended/, $from), 'a click is told so');
};

# --- who -----------------------------------------------------------------------------------------------------------
subtest 'without approvers it is whom the hook lets in' => sub {
    my ($id, $name) = begin('channel = "slack"');
    my $asked = $slack->wait_for(bob => qr/Question of $name/);
    ok($asked, 'it is in the chat') or return;
    my $from = $slack->so_far;
    $slack->press(mallory => $asked, 'kill');
    ok($slack->wait_for(mallory => qr/das does not know you/, $from), 'not a stranger');
    $slack->press(eve => $asked, 'kill');
    ok($slack->wait_for(eve => qr/Not counted: .*eve/, $from), 'nor whom das knows and the hook does not let in');
    is(show($id)->{status}, 'waiting', 'it waits');
    $slack->press(carol => $asked, 'kill');
    is_edited($asked, qr/kill, says carol/, 'but whom it lets in');
    status_is($id, 'done', 'it goes on');
};

subtest 'with approvers it is them' => sub {
    my ($id, $name) = begin('channel = "slack", approvers = { "eve" }');
    my $asked = $slack->wait_for(bob => qr/Question of $name/);
    ok($asked, 'it is in the chat') or return;
    my $from = $slack->so_far;
    $slack->press(bob => $asked, 'kill');
    ok($slack->wait_for(bob => qr/Not counted: bob is none of the approvers/, $from), 'nobody else');
    $slack->press(eve => $asked, 'leave');
    is_edited($asked, qr/leave, says eve/, 'also who may use the hook for nothing else');
    status_is($id, 'done', 'it goes on');
};

subtest 'das.lua changes before the answer' => sub {
    my ($id, $name) = begin('channel = "wecom"');
    ok($wecom->wait_for(bob => qr/Question of .*$name/), 'it is in the chat');
    write_config(without => 'wecom', grants => '"preview", "instance:*"');
    $s->stop;
    $s->start;
    is(runbook('answer', $id, 'go', 'kill')->{exit}, 0, 'without its channel and its grant it can be answered');
    status_is($id, 'done', 'and goes on');
    write_config();
    $s->stop;
    $s->start;
    ok($wecom->wait_for(bob => qr/Answered: .*$name/), 'the channel is told when it is there again');
};

# --- das dies ------------------------------------------------------------------------------------------------------
$s->stop;
for my $case ([ 'step-before-wait', 'answer-before-commit' ], [ 'step-waits', 'answered' ], [ 'question-before-asked', 'question-before-told' ],
    [ 'question-asked', 'question-told' ]) {
    my ($asking, $answering) = @$case;
    for my $chat ($slack, $wecom) {
        my ($name, $script) = book(qq{channel = "$chat->{name}"});
        is(runbook({ DAS_FAULT => $asking }, 'run', '-i', 'orders', $script)->{exit}, 'signal 9', "$chat->{name}: das dies at $asking");
        is(scalar(of($chat, $name)), 0, 'nobody was told');
        $s->start;
        my $asked = $chat->wait_for(bob => qr/Question of .*$name/);
        ok($asked, 'the next das tells them') or diag explain(show(id_of($script))), substr $s->log, -3000;
        $s->stop;
        my $id = id_of($script);
        is(runbook({ DAS_FAULT => $answering }, 'answer', $id, 'go', 'kill')->{exit}, 'signal 9', "das dies at $answering");
        is(runbook('answer', $id, 'go', 'kill')->{exit}, $answering eq 'answer-before-commit' ? 0 : 5, 'the answer is there, or it can be given');
        $s->start;
        ok(wait_for(sub { grep { $_->{text} =~ /Answered: .*$name.*kill, says/s } $chat->messages }, 30), 'people are told') or diag explain [ of($chat, $name) ];
        status_is($id, 'done', 'the run goes on');
        $s->stop;
        my @all = of($chat, $name);
        is_deeply([ map { $_->{edits} } @all ], $chat == $slack ? [1] : [ 0, 0 ], 'each message came once') or diag explain \@all;
    }
}

is_deeply([ $slack->faults, $wecom->faults ], [], 'no platform was sent what it would not take');
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
done_testing;
