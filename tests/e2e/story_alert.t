#!/usr/bin/perl
# story_alert.t - at night an alert comes, das gathers facts and tells the chat, once, whoever of two peers sends it; then a
# runbook tries the mild step, waits, and asks before the hard one. It is killed while it waits, das serve dies while it asks:
# what was done is not done twice, and what was not is done when somebody says so.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Chat;
use Chat::Alertmanager;
use Cwd ();
use Das qw(das das_start das_finish wait_for);
use MariaDB;
use Story;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $alerts = Chat::Alertmanager->new;
my $receiver = Cwd::abs_path('scripts/hooks/alertmanager.lua');
my $runbook = Cwd::abs_path('scripts/runbooks/runaway_report.lua');
my $story = Story->new(chats => ['Slack'], hooks => "alertmanager = " . $alerts->hook("channel = 'slack', script = '$receiver', instances = { 'orders' }"),
    scripts => qq{["*"] = { mode = "approve", grants = { "preview", "kill", "notify", "instance:*" } }, ["$runbook"] = { mode = "auto" }});
my ($s, $db, $chat, $herd) = @$story{qw(serve db slack herd)};
$alerts->meet($s->base);
$s->start;

# --- the alert ---------------------------------------------------------------------------------------------------

my $sql = "SELECT COUNT(*), SLEEP(900) FROM shop.orders /* monthly */";
$db->sql('CREATE USER report@localhost; GRANT SELECT ON shop.* TO report@localhost');
my @reports = map { $herd->add('report', 'shop', $sql) } 1, 2;
my $first = $herd->{count} - 1;    # their numbers in the herd: $first and the one after it
my $other = $herd->add('other', '', 'SELECT SLEEP(900)');
my $running = sub { my ($id) = @_; return $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Query' AND TIME >= $_[1] AND ID = $id") };
ok(wait_for(sub { $running->($_, 5) || return for @reports; 1 }, 30), 'reports run for too long');

my %alert = (alertname => 'ReportTooLong', instance => 'orders:3306', summary => 'reports <of> *orders* run for too long', started => time - 120);
is($alerts->fire([ \%alert ], token => 'somebody else')->{status}, 401, 'an alert of somebody else is none');
is($alerts->fire([ \%alert ], version => '5')->{status}, 400, 'nor one of a version that nobody knows');
is($chat->so_far, 0, 'and nobody hears of it');
is($alerts->fire([ \%alert ])->{status}, 200, 'the alert is taken');
my $m = $chat->wait_for(bob => qr/firing: ReportTooLong/);
ok($m, 'the chat hears of it') or BAIL_OUT(substr $s->log, -3000);
like($m->{text}, qr/reports <of> \*orders\* run/, 'as it was written');
like($m->{text}, qr/\b$_\b/, 'with the statement that runs') for @reports;
is($alerts->fire([ \%alert ])->{status}, 200, 'the second peer sends it as well');
is($s->crash->{exit}, 'signal 9', 'das serve dies');
$s->start;
is($alerts->replay->{status}, 200, 'and it comes again');
is($alerts->fire([ { %alert, resolved => 1, alertname => 'Other' } ])->{status}, 200, 'another one is over');
ok($chat->wait_for(bob => qr/resolved: Other/), 'which is said');
is(scalar(grep { $_->{text} =~ /firing/ } $chat->messages), 1, 'the first one was said once');
is(scalar($story->kills), 0, 'an alert kills nobody');

# --- the runbook -------------------------------------------------------------------------------------------------

my $book = sub { my (@args) = @_; return das($s->opt, 'runbook', @args) };
my $show = sub { return $story->das_json('runbook', 'show', 1) // {} };
my $step = sub { my ($name) = @_; return (grep { $_->{name} eq $name } @{ $show->()->{steps} || [] })[0] // {} };
my $run = das_start($s->opt, 'runbook', 'run', '--apply', '-i', 'orders', '--param', 'user=report%', '--param', 'time=1', '--param', 'wait=30s', $runbook);
ok(wait_for(sub { ($step->('cancel statements')->{status} // '') eq 'done' }), 'the mild step is done') or diag explain $show->(), Das::so_far($run);
is_deeply([ map { $running->($_, 0) } @reports, $other ], [ 0, 0, 1 ], 'the statements of the reports have ended');
is_deeply($story->there(@reports), [ 1, 1 ], 'their connections have not');
like($herd->say($first, $sql), qr/^error 1317|^ok/, 'one of the two begins anew');
ok(wait_for(sub { $running->($reports[0], 0) }), 'and runs');
ok(wait_for(sub { ($show->()->{status} // '') eq 'waiting' }), 'the runbook waits') or diag explain $show->();
kill 'KILL', $run->{pid};
das_finish($run);
ok(wait_for(sub { ($step->('end connections?')->{status} // '') eq 'waiting' }, 60), 'das serve goes on with it, and it asks') or diag explain $show->(), substr $s->log, -3000;
my $kills = $story->kills;
like($step->('end connections?')->{asks}{question} // '', qr/1 connections? of report% on orders/, 'about the one that did so');

is($s->crash->{exit}, 'signal 9', 'das serve dies again');
is($book->('answer', 1, 'end connections?', 'maybe')->{exit}, 2, 'a choice that there is not');
my $r = $book->('answer', 1, 'end connections?', 'kill', '--reason', 'INC-4711');
is($r->{exit}, 0, 'somebody says kill') or diag explain $r;
is($book->('answer', 1, 'end connections?', 'leave')->{exit}, 5, 'once');
is_deeply($story->there(@reports), [ 1, 1 ], 'nobody has died yet');
$s->start;
ok(wait_for(sub { ($show->()->{status} // '') eq 'done' }, 60), 'das serve does it') or diag explain $show->(), substr $s->log, -3000;
is_deeply($story->there(@reports, $other), [ 0, 1, 1 ], 'the one that began anew is gone, and nobody else');
is(scalar($story->kills), $kills + 1, 'by one kill');
is($step->('cancel statements')->{attempts}, 1, 'the mild step was done once');
my $text = $book->('show', 1, '-o', 'markdown')->{out};
like($text, qr/Statements cancelled: 2 of 2/, 'the transcript: what was done');
like($text, qr/INC-4711/, 'who decided, and why');
like($text, qr/Connections ended: 1 of 1/, 'and what came of it');
my @events = map { $_->{event} } grep { $_->{kind} eq 'runbook' } $story->journal;
is_deeply([ grep { /^(started|answered|done)$/ } @events ], [qw(started answered done)], 'the journal has it') or diag "@events";
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'and is whole');
is_deeply([ $chat->faults, $alerts->faults ], [], 'no platform was sent what it would not take');
done_testing;
