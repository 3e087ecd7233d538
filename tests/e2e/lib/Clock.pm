# Clock.pm - the hours and days of a test: the clock of das-faults, of this test and of the servers that it starts is the
# machine's and so far ahead as the test says. Comes before all other modules of tests, which have `time` and `gmtime` from here
# then; Time::HiRes keeps the machine's, so that patience stays patience.
#
#   use Clock;                    # skips the test where das-faults was not built
#   Clock::start_at(2027, 3, 28)  # UTC; before anything runs
#   Clock::forward(3600);         # an hour later, for everybody at once
#   Clock::pass(12 * 3600, 600);  # twelve hours, in steps of ten minutes that each thread gets to see
package Clock;
use strict;
use warnings;
use Cwd ();
use Digest::SHA ();
use File::Temp ();
use HTTP::Tiny ();
use JSON::PP ();
use POSIX ();
use Test::More ();
use Time::HiRes ();
use Time::Local ();

my ($file, $path);

BEGIN {
    ($file, $path) = File::Temp::tempfile('das-clock-XXXXXX', TMPDIR => 1, UNLINK => 1);
    syswrite $file, pack 'q', 0;
    $ENV{DAS_CLOCK} = $path;
    no warnings 'once';
    *CORE::GLOBAL::time = sub () { return int(now_ms() / 1000) };
    *CORE::GLOBAL::gmtime = sub (;$) { return CORE::gmtime(@_ ? $_[0] : int(now_ms() / 1000)) };
    *CORE::GLOBAL::localtime = sub (;$) { return CORE::localtime(@_ ? $_[0] : int(now_ms() / 1000)) };
}

# Each time anew: other processes of the test have moved it, or this one did.
sub ahead_ms {
    open my $in, '<:raw', $path or die "$path: $!";
    sysread($in, my $bytes, 8) == 8 or die "$path: not eight bytes";
    return unpack 'q', $bytes;
}

sub now_ms { return int(Time::HiRes::time() * 1000) + ahead_ms() }

sub put {
    my ($ahead) = @_;
    sysseek $file, 0, 0;
    syswrite($file, pack 'q', $ahead) == 8 or die "$path: $!";
    return now_ms();
}

sub forward {
    my ($seconds) = @_;
    die "the clock goes forward only\n" if $seconds < 0;
    return put(ahead_ms() + int($seconds * 1000));
}

# As far ahead as ahead_ms() said once, for a test that begins anew from there: while nothing of das runs.
sub again { return put($_[0]) }

# To that moment, a Unix time; nothing when it is over.
sub to { my ($at) = @_; my $left = $at - now_ms() / 1000; return $left > 0 ? forward($left) : now_ms() }

sub start_at {
    my ($year, $month, $day, $hour, $minute) = @_;
    return to(Time::Local::timegm(0, $minute // 0, $hour // 0, $day, $month - 1, $year));
}

# In steps; between two of them what() may look, and ends it when it is content.
sub pass {
    my ($seconds, $step, $what) = @_;
    my $end = now_ms() / 1000 + $seconds;
    while (1) {
        return 1 if $what && $what->();
        my $left = $end - now_ms() / 1000;
        last if $left <= 0;
        forward($left < $step ? $left : $step);
    }
    return 0;
}

sub import {
    my $program = Cwd::getcwd() . '/' . ($ENV{BUILD} || 'build') . '/das-faults';
    Test::More::plan(skip_all => "$program was not built") if !-x $program;
    $ENV{DAS} = $program;
}

1;
