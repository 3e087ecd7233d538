#!/usr/bin/perl
# moved_clock.t - the clock that tests of long times move: das-faults lives by it, while it runs, too; the program that is
# installed has no part of it.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Das;

my $build = $ENV{BUILD} || 'build';
my $dir = tempdir('das-moved-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $year = 365 * 86400;

sub script { my ($lua) = @_; open my $out, '>', "$dir/s.lua" or die; print $out $lua; close $out; return "$dir/s.lua" }
sub run_of { my ($program, @args) = @_; local $ENV{DAS} = $program; return das('run', '-i', 'mem:tests/samples/recording.jsonl', @args) }

# --- who has it ------------------------------------------------------------------------------------------------------
my %symbols = map { $_ => scalar(`nm $build/$_`) } qw(das das-faults);
like($symbols{'das-faults'}, qr/ __wrap_clock_gettime$/m, 'das-faults has a clock that can be moved');
unlike($symbols{das}, qr/__wrap_|ahead_ms/, 'the program that is installed has none');
unlike(scalar(`strings -a $build/das`), qr/DAS_CLOCK/, 'and has not heard of the variable');
like(scalar(`nm -D $build/das`), qr/ U clock_gettime(?:@|$)/m, 'it asks the C library');

my $now = script('print(das.time.now())');
my $machine = CORE::time();
Clock::forward($year);
my ($told) = run_of("$build/das-faults", $now)->{out} =~ /^(\d+)$/;
cmp_ok($told, '>=', $machine + $year, 'das-faults is a year ahead');
($told) = run_of("$build/das", $now)->{out} =~ /^(\d+)$/;
cmp_ok($told, '<', $machine + $year, 'das is not');
is(do { local $ENV{DAS_CLOCK} = "$dir/nowhere"; run_of("$build/das-faults", $now)->{exit} }, 127, 'a clock that is not there is told at once');
cmp_ok(do { local $ENV{DAS_CLOCK}; delete $ENV{DAS_CLOCK}; run_of("$build/das-faults", $now)->{out} }, '<', $machine + $year, 'without one it is the machine\'s');

# --- while it runs ---------------------------------------------------------------------------------------------------
my $run = do {
    local $ENV{DAS} = "$build/das-faults";
    das_start({ timeout => 30 }, 'run', '-i', 'mem:tests/samples/recording.jsonl', script(
        'local a, m = das.time.now(), das.time.monotonic() print("began") das.sleep(50) print(das.time.now() - a >= 50, das.time.monotonic() - m >= 50)'));
};
ok(wait_for(sub { Das::so_far($run) =~ /began/ }), 'somebody sleeps for 50 s, and has 30 of the machine');
Clock::forward(49);
Clock::forward(2);
is(das_finish($run)->{out}, "began\ntrue\ttrue\n", 'which are over when the clock says so, on both clocks');
cmp_ok(time, '>', CORE::time() + $year, 'the test lives by it');
done_testing;
