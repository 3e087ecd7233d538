#!/usr/bin/perl
# run.t - das test over the tests of our own policies: all pass, and no line of a policy is left out.
# Then each policy is broken in a few ways: its tests have to notice.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $dir = tempdir(CLEANUP => 1);

my @tap = split /\n/, `$das test --coverage=$dir/lcov.info tests/policies 2>$dir/err`;
is($?, 0, 'das test passes') or diag(grep { /^not ok|^#/ } map { "$_\n" } @tap);
for (grep { /^(not )?ok/ } @tap) { /^(not )?ok \d+ - (.*)/; ok(!$1, $2) }

my (%lines, $file);
open my $in, '<', "$dir/lcov.info" or die "lcov.info: $!";
while (<$in>) {
    if (/^SF:(.*)/) { $file = $1 }
    elsif (/^DA:(\d+),(\d+)/) { $lines{$file}{$1} = $2 }
}
close $in;
my @policies = sort glob 'scripts/policies/*.lua';
is_deeply([ sort keys %lines ], \@policies, 'each policy has tests');
for my $policy (@policies) {
    my @missed = grep { !$lines{$policy}{$_} } sort { $a <=> $b } keys %{ $lines{$policy} };
    is_deeply(\@missed, [], "every line of $policy runs");
}

# --- a policy with a mistake in it -----------------------------------------------------------------
my %mistakes = (
    long_select => [
        [ 'user = "etl%"', 'user = "elt%"' ], [ 'find("^select ")', 'find("select ")' ],
        [ '"for update"', '"for udpate"' ], [ '"lock in share"', '"lock in sharing"' ],
        [ 'reads:oldest', 'reads:newest' ], [ 'kill = "query"', 'kill = "connection"' ],
        [ 'or "60s"', 'or "61s"' ], [ 'or 3)', 'or 4)' ], [ 'slow & ~spared', 'slow' ],
        [ 'das.filter{ command = "Execute", time = age', 'das.filter{ command = "Fetch", time = age' ],
    ],
    idle_in_transaction => [
        [ 'rows = das.args[1] or "5m", 10000', 'rows = das.args[1] or "5m", 100000' ], [ 'command = "Sleep", ', '' ],
        [ 'cheap = found:where(~das.filter{ rows_modified = rows + 1 })', 'cheap = found' ],
        [ 'or "5m"', 'or "299"' ], [ 'trx_time = age', 'time = age' ],
    ],
    connection_hogs => [
        [ 'group.count - allowed', 'group.count' ], [ ':oldest(', ':newest(' ],
        [ '& ~das.filter{ trx_time = 0 }', '' ], [ 'too_many > 0', 'too_many > 1' ], [ 'or "60s"', 'or "59s"' ],
    ],
    stampede => [
        [ 'group.count >= at_least', 'group.count > at_least' ], [ ':except_oldest()', '' ],
        [ 'time = 2,', 'time = 1,' ], [ 'or 10)', 'or 9)' ], [ 'kill = "query"', 'kill = "connection"' ],
    ],
);
make_path("$dir/scripts/policies", "$dir/tests/policies");
for my $name (sort keys %mistakes) {
    my $path = "$dir/scripts/policies/$name.lua";
    copy("tests/policies/${name}_test.lua", "$dir/tests/policies/${name}_test.lua") or die;
    open my $from, '<', "scripts/policies/$name.lua" or die;
    my $text = do { local $/; <$from> };
    for my $mistake (@{ $mistakes{$name} }) {
        my ($right, $wrong) = @$mistake;
        my $changed = $text;
        $changed =~ s/\Q$right\E/$wrong/ or die "$name has no $right";
        open my $to, '>', $path or die "$path: $!";
        print $to $changed;
        close $to;
        my $out = `$das test $dir/tests/policies/${name}_test.lua 2>/dev/null`;
        ok($? >> 8 == 1 && $out =~ /^not ok/m, "$name: $right -> " . ($wrong || 'nothing') . ' is noticed') or diag($out);
    }
}
done_testing();
