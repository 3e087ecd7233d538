# Das.pm - runs the das program as a user would, and reads what it prints.
package Das;
use strict;
use warnings;
use File::Temp qw(tempdir tempfile);
use JSON::PP;
use POSIX ();
use Time::HiRes ();
use Exporter 'import';
our @EXPORT = qw(das das_json das_script das_start das_finish wait_for with_home);
our @EXPORT_OK = qw($AUTO $CALM $MANY das_config);

my $home = tempdir('das-home-XXXXXX', TMPDIR => 1, CLEANUP => 1);    # no ~/.my.cnf in it

# Nothing that a test does is kept in the machine's own state directory.
$ENV{STATE_DIRECTORY} //= tempdir('das-state-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# A policy observes until das.lua promotes it, and the limits that das has by itself are smaller than
# what tests do. As parts of a das.lua, for tests that write their own:
our $CALM = 'breaker = { failures = 1000, respawns = 0, surge = 0 }';
our $AUTO = 'scripts = { ["*"] = { mode = "auto" } }, ' . $CALM;
our $MANY = 'kill = { run = 100000, minute = 1000000, instance = 1000000, user = 1000000, percent = 100, min_left = 0 }';

# A das.lua with both, and a state directory that nobody else uses.
my $config;
sub das_config {
    return $config if $config;
    my $dir = tempdir('das-config-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    open my $fh, '>', "$dir/das.lua" or die "$dir/das.lua: $!\n";
    print $fh qq{return { state = "$dir/state", limits = { $MANY }, $AUTO }\n};
    close $fh;
    return $config = "$dir/das.lua";
}

sub program { return ($ENV{DAS} || ($ENV{BUILD} || 'build') . '/das') }

# Starts das; das_finish() waits for it. %$opt: env => {...}, timeout => seconds.
sub das_start {
    my ($opt, @args) = ref $_[0] ? @_ : ({}, @_);
    my ($out, $out_path) = tempfile(UNLINK => 1);
    my ($err, $err_path) = tempfile(UNLINK => 1);
    my $config = das_config();
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $out;
        open STDERR, '>&', $err;
        $ENV{HOME} = $home;
        $ENV{DAS_CONFIG} = $config;
        $ENV{$_} = $opt->{env}{$_} for keys %{ $opt->{env} || {} };
        alarm($opt->{timeout} || 60);    # survives exec; das does not catch it
        exec program(), @args or POSIX::_exit(127);
    }
    return { pid => $pid, out => $out_path, err => $err_path };
}

sub slurp {
    my ($path) = @_;
    open my $fh, '<', $path or return '';
    local $/;
    return scalar(<$fh>) // '';
}

# What it has printed so far.
sub so_far { return slurp($_[0]{out}) }

sub das_finish {
    my ($run) = @_;
    waitpid $run->{pid}, 0;
    my $exit = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    my $out = slurp($run->{out});
    $out =~ s/ +$//mg;    # padding that made a line long enough to be written at once
    return { exit => $exit, out => $out, err => slurp($run->{err}) };
}

sub das { return das_finish(das_start(@_)) }

# Asks until what is asked for is there; false when it still is not after so many seconds.
sub wait_for {
    my ($what, $seconds) = @_;
    my $end = Time::HiRes::time() + ($seconds || 15);
    while (Time::HiRes::time() < $end) {
        return 1 if $what->();
        Time::HiRes::sleep(0.02);
    }
    return 0;
}

# `das preview -i URL ... -o json` as a Perl structure in {json}.
sub das_json {
    my ($opt, $url, @args) = ref $_[0] ? @_ : ({}, @_);
    my $r = das($opt, 'preview', '-i', $url, @args, '-o', 'json');
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{out}) };
    return $r;
}

# Runs a Lua script given as text.
sub das_script {
    my ($opt, $url, $lua, @args) = ref $_[0] ? @_ : ({}, @_);
    my ($fh, $path) = tempfile(SUFFIX => '.lua', UNLINK => 1);
    print $fh $lua;
    close $fh;
    return das($opt, 'run', '-i', $url, @args, $path);
}

# A home folder with these files (name => content), for ~/.my.cnf.
sub with_home {
    my (%files) = @_;
    my $dir = tempdir('das-home-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    for my $name (keys %files) {
        open my $fh, '>', "$dir/$name" or die;
        chmod 0600, $fh;
        print $fh $files{$name};
        close $fh;
    }
    return $dir;
}

1;
