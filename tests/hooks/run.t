#!/usr/bin/perl
# run.t - das test over the tests of the scripts of hooks; then each script is broken in a few ways: its tests have to notice. What a
# script says of a server that cannot be looked at is not in these tests.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $dir = tempdir(CLEANUP => 1);

my @tap = split /\n/, `$das test --coverage=$dir/lcov.info tests/hooks 2>$dir/err`;
is($?, 0, 'das test passes') or diag(grep { /^not ok|^#/ } map { "$_\n" } @tap);
for (grep { /^(not )?ok/ } @tap) { /^(not )?ok \d+ - (.*)/; ok(!$1, $2) }

open my $in, '<', "$dir/lcov.info" or die "lcov.info: $!";
is_deeply([ sort map { /^SF:(.*)/ ? $1 : () } <$in> ], [ sort glob 'scripts/hooks/*.lua' ], 'each script has tests');
close $in;

my %mistakes = (
    preview => [ [ 'filter.all = not any or nil', '' ], [ '"user", "db"', '"db"' ], [ '"state", "time"', '"state"' ] ],
    kill => [ [ 'if not narrow', 'if false' ], [ 'filter.time = args.time', '' ], [ 'if #found == 0', 'if #found == 99' ],
        [ 'sessions = plan', 'sessions = nil' ] ],
    status => [ [ 'now.stopped and "das is stopped"', 'not now.stopped and "das is stopped"' ], [ 'time = 10', 'time = 60' ] ],
    stop => [ [ 'public = true', 'public = false' ], [ 'if done', 'if not done' ] ],
    history => [ [ 'kills.total == 1', 'kills.total == 0' ] ],
    explain => [ [ 'found:explain(args.id)', 'found:explain(11)' ] ],
    alertmanager => [ [ ':gsub(":%d+$", "")', '' ], [ 'one.status ~= "resolved"', 'one.status == "resolved"' ],
        [ 'one.severity == "critical"', 'one.severity == "warning"' ], [ 'time = 5 }', 'time = 50 }' ] ],
);
make_path("$dir/tests/hooks", "$dir/scripts/hooks");
copy('tests/hooks/hooks_test.lua', "$dir/tests/hooks/hooks_test.lua") or die;
for my $name (sort keys %mistakes) {
    for my $m (@{ $mistakes{$name} }) {
        copy($_, "$dir/$_") or die for glob 'scripts/hooks/*.lua';
        open my $f, '<', "scripts/hooks/$name.lua" or die;
        my $text = do { local $/; <$f> };
        my $at = index $text, $m->[0];
        ok($at >= 0, "$name: there is $m->[0]") or next;
        substr $text, $at, length $m->[0], $m->[1];
        open my $out, '>', "$dir/scripts/hooks/$name.lua" or die;
        print $out $text;
        close $out;
        system("cd $dir && $das test tests/hooks >/dev/null 2>&1");
        isnt($?, 0, "$name: noticed: $m->[0] -> $m->[1]");
    }
}
done_testing();
