#!/usr/bin/perl
# run.t - das test over the tests of our own runbooks: all pass, and no line of a runbook is left out.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $dir = tempdir(CLEANUP => 1);

my @tap = split /\n/, `$das test --coverage=$dir/lcov.info tests/runbooks 2>$dir/err`;
is($?, 0, 'das test passes') or diag(grep { /^not ok|^#/ } map { "$_\n" } @tap);
for (grep { /^(not )?ok/ } @tap) { /^(not )?ok \d+ - (.*)/; ok(!$1, $2) }

my (%lines, $file);
open my $in, '<', "$dir/lcov.info" or die "lcov.info: $!";
while (<$in>) {
    if (/^SF:(.*)/) { $file = $1 }
    elsif (/^DA:(\d+),(\d+)/) { $lines{$file}{$1} = $2 }
}
close $in;
my @runbooks = sort glob 'scripts/runbooks/*.lua';
is_deeply([ sort keys %lines ], \@runbooks, 'each runbook has tests');
for my $runbook (@runbooks) {
    my @missed = grep { !$lines{$runbook}{$_} } sort { $a <=> $b } keys %{ $lines{$runbook} };
    is_deeply(\@missed, [], "every line of $runbook runs");
}
done_testing();
