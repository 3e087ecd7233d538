# ScriptTests.pm - das test over the tests of scripts that come with das: all pass, each script has some, no line of one is left
# out. Then scripts are broken in a few ways: their tests have to notice.
#
#   ScriptTests::run('policies', mistakes => { stampede => [ [ 'or 10)' => 'or 9)' ] ] });
#   # lines => 0: some lines need not run
package ScriptTests;
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $das = $ENV{DAS} || getcwd() . '/build/das';

sub passes {
    my ($what, $dir) = @_;
    my @tap = split /\n/, `$das test --coverage=$dir/lcov.info tests/$what 2>$dir/err`;
    is($?, 0, 'das test passes') or diag(grep { /^not ok|^#/ } map { "$_\n" } @tap);
    for (grep { /^(not )?ok/ } @tap) { /^(not )?ok \d+ - (.*)/; ok(!$1, $2) }
}

# How often each line ran: {file}{line}
sub coverage {
    my ($path) = @_;
    my (%lines, $file);
    open my $in, '<', $path or die "$path: $!";
    while (<$in>) {
        if (/^SF:(.*)/) { $file = $1; $lines{$file} = {} }
        elsif (/^DA:(\d+),(\d+)/) { $lines{$file}{$1} = $2 }
    }
    return %lines;
}

sub contents { my ($path) = @_; open my $in, '<', $path or die "$path: $!"; local $/; return scalar <$in> }

# Scripts and tests in a place of their own, where one is broken after the other.
sub notices {
    my ($what, $dir, %mistakes) = @_;
    for my $path (glob("scripts/{policies,hooks,runbooks}/*.lua tests/$what/*_test.lua")) {
        make_path("$dir/" . $path =~ s{/[^/]*$}{}r);
        copy($path, "$dir/$path") or die "$path: $!";
    }
    for my $name (sort keys %mistakes) {
        my $path = "scripts/$what/$name.lua";
        my $right = contents($path);
        my $tests = -e "tests/$what/${name}_test.lua" ? "tests/$what/${name}_test.lua" : "tests/$what";
        for my $m (@{ $mistakes{$name} }) {
            my $at = index $right, $m->[0];
            ok($at >= 0, "$name: there is $m->[0]") or next;
            my $wrong = $right;
            substr $wrong, $at, length $m->[0], $m->[1];
            open my $to, '>', "$dir/$path" or die "$path: $!";
            print $to $wrong;
            close $to;
            my $out = `cd $dir && $das test $tests 2>/dev/null`;
            ok($? >> 8 == 1 && $out =~ /^not ok/m, "$name: $m->[0] -> " . ($m->[1] || 'nothing') . ' is noticed') or diag($out);
        }
        copy($path, "$dir/$path") or die "$path: $!";
    }
}

sub run {
    my ($what, %opt) = @_;
    my $dir = tempdir(CLEANUP => 1);
    passes($what, $dir);
    my %lines = coverage("$dir/lcov.info");
    my @scripts = sort glob "scripts/$what/*.lua";
    is_deeply([ sort keys %lines ], \@scripts, 'each script has tests');
    for my $script ($opt{lines} // 1 ? @scripts : ()) {
        my @missed = grep { !$lines{$script}{$_} } sort { $a <=> $b } keys %{ $lines{$script} };
        is_deeply(\@missed, [], "every line of $script runs");
    }
    notices($what, $dir, %{ $opt{mistakes} || {} });
    done_testing();
}

1;
