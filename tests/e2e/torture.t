#!/usr/bin/perl
# Under fire: ten thousand kills among clients that run, end, reconnect and change as fast as they
# can, by several das at once that are killed themselves, on two servers that take turns behind one
# address. Not one of the dead was anybody else than the plan had said.
#
# TORTURE_KILLS: how many (10000); TORTURE_SEED: another course.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Time::HiRes qw(time);
use MariaDB;
use Torture;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $kills = $ENV{TORTURE_KILLS} || (($ENV{BUILD} || '') =~ /san-/ ? 800 : 10000);
my $t = Torture->new(clients => 400, seed => $ENV{TORTURE_SEED} || 1,
    limits => { run => 120, instance => 180, window_ms => 1000 });
my $start = time;
$t->run(kills => $kills, seconds => 300, runners => 4);
my $took = time - $start;
my $r = $t->verdict;
my $count = $r->{count};

cmp_ok($count->{dead}, '>=', $kills, "$kills statements and connections died");
for my $kind ('wrong kill', 'no intent', 'late intent', 'not the plan', 'twice', 'limit', 'protected', 'outcome', 'journal') {
    my @found = KillCheck::of_kind($r, $kind);
    is(scalar @found, 0, "none: $kind") or diag map { "$kind: $_\n" } @found[0 .. ($#found < 9 ? $#found : 9)];
}
# README, "Safety rules": a connection kill cannot be made to come in time, only very nearly.
my @window = KillCheck::of_kind($r, 'window');
cmp_ok(scalar @window, '<=', 3, 'the window of a connection kill is hit next to never');
diag map { "window: $_\n" } @window;

my $verify = $t->tell('audit', 'verify');
is($verify->{exit}, 0, 'the journal verifies') or diag $verify->{out}, $verify->{err};
diag sprintf '%d died in %.0f s of %d kills (%d statements, %d connections); das was killed %d times, the proxy turned %d times',
    $count->{dead}, $took, $count->{kills}, $count->{interrupted}, $count->{lost},
    $t->{exits}{'run signal 9'} + $t->{exits}{'apply signal 9'}, $t->{swaps};
if ($ENV{TORTURE_TALK}) {
    diag map { "$_: $count->{$_}\n" } sort keys %$count;
    diag map { "$_: $t->{exits}{$_}\n" } sort keys %{ $t->{exits} };
    diag map { "clients $_: $t->{clients_said}{$_}\n" } sort keys %{ $t->{clients_said} };
    diag $t->said;
}
done_testing;
