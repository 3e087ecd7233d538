#!/usr/bin/perl
# ask.t - at night, all of it: an alert begins a runbook, which gathers facts, does the mild step, waits, and asks in the
# chat before the hard one. das serve dies while it asks. Who may not answer is refused; who may presses a button; the
# hard step is done once, and the message says who decided.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Chat;
use Chat::Alertmanager;
use Cwd ();
use Das qw(das wait_for);
use File::Temp qw(tempdir);
use MariaDB;
use Story;

plan skip_all => MariaDB::missing() if MariaDB::missing();

# The receiver that comes with das, for a small database.
my $dir = tempdir(CLEANUP => 1);
my $runbook = Cwd::abs_path('scripts/runbooks/connection_exhaustion.lua');
my $receiver = do { local (@ARGV, $/) = 'scripts/hooks/alertmanager.lua'; <> };
$receiver =~ s/\{ "\.\.\/runbooks\/connection_exhaustion\.lua",\s+\{ limit = 200,/{ "$runbook", { limit = 1, user = "app%", idle = "1s", wait = "1s",/ or die;
{ open my $out, ">", "$dir/receiver.lua" or die; print $out $receiver; close $out or die }

for my $platform (qw(Slack Telegram)) {
    my $name = lc $platform;
    my $alerts = Chat::Alertmanager->new;
    my $story = Story->new(chats => [$platform], hooks => 'alertmanager = ' . $alerts->hook("channel = '$name', script = '$dir/receiver.lua', instances = { 'orders' }"),
        scripts => qq{["*"] = { mode = "approve", grants = { "preview", "notify", "runbook", "instance:*" } }, ["$runbook"] = { mode = "auto", grants = { "preview", "kill", "notify:$name", "instance:*" } }});
    my ($s, $chat, $herd) = @$story{ 'serve', $name, 'herd' };
    my $show = sub { return $story->das_json('runbook', 'show', 1) // {} };
    my $step = sub { my ($n) = @_; return (grep { $_->{name} eq $n } @{ $show->()->{steps} || [] })[0] // {} };
    $alerts->meet($s->base);
    $s->start;

    my @idle = map { $herd->add('app', 'shop', 'SELECT 1') } 1, 2;
    my @inside = map { $herd->add('app', 'shop', 'START TRANSACTION WITH CONSISTENT SNAPSHOT') } 1, 2;
    my $other = $herd->add('other', '', 'START TRANSACTION WITH CONSISTENT SNAPSHOT');
    ok(wait_for(sub { 5 == $story->{db}->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Sleep' AND TIME >= 2 AND USER IN ('app', 'other')") }, 30), 'they are idle');

    is($alerts->fire([ { alertname => 'MySQLTooManyConnections', instance => 'orders:3306', summary => 'too many', started => time - 60 } ])->{status}, 200, "$name: an alert");
    my $told = $chat->wait_for(bob => qr/firing: MySQLTooManyConnections/);
    like($told->{text} // '', qr/runbook.*begun/s, 'which begins a runbook') or diag substr $s->log, -3000;
    my $asked = $chat->wait_for(bob => qr/Question of connection exhaustion/);
    ok($asked, 'which asks') or BAIL_OUT(substr($s->log, -3000) . JSON::PP->new->pretty->encode($show->()));
    is_deeply([ map { $_->{label} } @{ $asked->{buttons} } ], [qw(leave kill)], 'a button for each choice');
    like($asked->{text}, qr/End up to 2 that are idle inside/, 'with what was found');
    like($asked->{text}, qr/das runbook answer 1 \d+ leave\|kill/, 'the command');
    like($asked->{text}, qr/role:dba/, 'and who may answer');
    is_deeply($story->there(@idle, @inside, $other), [ 0, 0, 1, 1, 1 ], 'the mild step was done, and no more');

    is($s->crash->{exit}, 'signal 9', 'das serve dies');
    $s->start;
    my $now = $story->das_json('status') // {};
    is_deeply([ @{ $now->{runbooks} || {} }{qw(open questions unknown)} ], [ 1, 1, 0 ], 'das status counts the question');
    like(das($s->opt, 'status')->{out}, qr/^runbooks\s+1 open: 1 question, 0 of unknown/m, 'in its table, too');
    $chat->type(bob => 'status');
    my $standing = $chat->wait_for(bob => qr/das is ready/);
    like($standing->{text} // '', qr/runbooks that are open\W+1\b.*questions of theirs\W+1\b/s, 'and so does who asks in the chat');

    my ($value) = map { $_->{value} } grep { $_->{label} eq 'kill' } @{ $asked->{buttons} };
    my $from = $chat->so_far;
    $chat->press(mallory => $asked, 'kill');
    ok($chat->wait_for(mallory => qr/das does not know you/, $from), 'somebody whom das does not know');
    $chat->press(eve => $asked, 'kill');
    ok($chat->wait_for(eve => qr/eve is none of the approvers/, $from), 'somebody who may not answer') or diag explain [ $chat->messages ];
    (my $forged = $value) =~ s/(.)$/$1 eq '0' ? '1' : '0'/e;
    $chat->press(bob => $asked, 'kill', value => $forged);
    ok($chat->wait_for(bob => qr/of no question that is asked here/, $from), 'a button that was made up');
    (my $far = $value) =~ s/^das:ask:1:/das:ask:2:/;
    $chat->press(bob => $asked, 'kill', value => $far);
    ok($chat->wait_for(bob => qr/there is no such question/, $from), 'or is of another run');
    is($step->('end transactions?')->{status}, 'waiting', 'none of them counts');
    is_deeply($story->there(@inside), [ 1, 1 ], 'nobody was killed');

    $chat->press(bob => $asked, 'kill');
    ok($chat->wait_for(bob => qr/end transactions\?: kill/, $from), 'bob says kill') or diag explain [ $chat->messages ];
    my $press = $chat->{last};
    ok(wait_for(sub { ($show->()->{status} // '') eq 'done' }, 60), 'das serve does it') or diag explain $show->(), substr $s->log, -3000;
    is_deeply($story->there(@inside, $other), [ 0, 0, 1 ], 'those in a transaction are gone, and nobody else');
    ok(wait_for(sub { ($chat->find($asked->{id})->{text} // '') =~ /kill, says bob/ }, 30), 'the message says who decided') or diag explain [ $chat->messages ];
    my $end = $chat->find($asked->{id});
    is_deeply($end->{buttons}, [], 'and has no buttons any more');
    is(scalar(grep { $_->{text} =~ /Question of|Answered:/ } $chat->messages), 1, 'it is the one message, before and after the crash');
    $chat->replay($press);
    $chat->press(carol => $asked, 'leave');
    ok($chat->wait_for(carol => qr/was answered already/, $from), 'a late click is told so');
    is($step->('end transactions?')->{result}, 'kill', 'and changes nothing');

    my @answers = grep { $_->{kind} eq 'runbook' && $_->{event} eq 'answered' } $story->journal;
    is_deeply([ map { [ @$_{qw(step choice by via)} ] } @answers ], [ [ 'end transactions?', 'kill', 'bob', $name ] ], 'the journal has it, once');
    like(das($s->opt, 'runbook', 'show', 1, '-o', 'markdown')->{out}, qr/Idle transactions: 2 chosen, 2 ended/, 'and the transcript');
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
    is_deeply([ $chat->faults, $alerts->faults ], [], 'no platform was sent what it would not take');
    $s->stop;
}
done_testing;
