#!/usr/bin/perl
# stop.t - the off switch works when nothing else does: a broken das.lua, no database, folders that
# cannot be written. As an ordinary user, so that folders can be closed to it, and so that a test
# never stops the das of this machine; root is nobody for the program under test.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX ();

my $dir = tempdir('das-stop-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $das = "$dir/das";    # where everybody may reach it
copy($ENV{DAS} || getcwd() . '/build/das', $das) or die "das: $!";
chmod 0755, $dir, $das;
my @as = $< == 0 ? qw(setpriv --reuid=65534 --regid=65534 --clear-groups) : ();
my $me = $< == 0 ? getpwuid(65534) : getpwuid($<);
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME XDG_RUNTIME_DIR RUNTIME_DIRECTORY STATE_DIRECTORY
  DAS_STOP_DIR SUDO_UID)};
plan skip_all => 'das is stopped on this machine' if -e '/run/das/STOP' || -e '/etc/das/STOP';

# A folder of the user under test.
sub folder {
    my ($name) = @_;
    mkdir "$dir/$name" or die "$name: $!";
    chown 65534, 65534, "$dir/$name" if $< == 0;
    return "$dir/$name";
}
sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub get { open my $f, '<', $_[0] or return ''; local $/; return scalar(<$f>) // '' }

my %env;

# das(ARGS...) in the folder work: exit code, standard output, standard error.
sub das {
    my (@args) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        chdir "$dir/work" or POSIX::_exit(98);
        $ENV{$_} = $env{$_} for keys %env;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec @as, $das, @args or POSIX::_exit(99);
    }
    waitpid $pid, 0;
    return ($? >> 8, get("$dir/out"), get("$dir/err"));
}

my $work = folder('work');
my $home = folder('home');
my $run = folder('run');
%env = (HOME => $home, XDG_RUNTIME_DIR => $run);
my $switch = "$run/das/STOP";
my ($code, $out, $err);

# --- on, shown, off ------------------------------------------------------------------------------
($code, $out) = das('status');
is($code, 0, 'status: exit 0');
like($out, qr/^off switch  not set: kills are possible$/m, 'not stopped');
($code, $out, $err) = das('stop', 'fail-over', "of\norders \e[1m", '--now');
is($code, 0, 'das stop') or diag($err);
like($out, qr/^stopped by \Q$switch\E$/m, 'says where');
like(get($switch), qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \Q$me\E: fail-over of orders  \[1m --now\n\z/, 'one line: when, who, why');
is((stat $switch)[2] & 07777, 0644, 'which everybody may read');
is_deeply([ glob "$run/das/*" ], [$switch], 'and no other file is left');
like($err, qr{not written: /run/das/STOP: Permission denied}, 'the machine is not stopped, which is said');
($code, $out) = das('status');
is($code, 0, 'status of a stopped das: exit 0');
like($out, qr/^off switch  stopped by \Q$switch\E: \S+ \Q$me\E: fail-over/m, 'with the reason');
($code, $out) = das('status', '-o', 'json');
my $json = eval { decode_json($out) } || {};
is($json->{stopped}[0]{file}, $switch, 'as JSON') or diag($out);
is_deeply([ map { $_->{file} } @{ $json->{stopped} || [] } ], [ $switch, "$home/.local/state/das/STOP" ], 'two files');
{
    delete local $env{XDG_RUNTIME_DIR};
    like((das('status'))[1], qr/^off switch  stopped by/m, 'a job of cron, which has no XDG_RUNTIME_DIR, is stopped, too');
}
my $before = get($switch);
($code, $out) = das('stop', 'another reason');
is($code, 0, 'stopped twice');
like($out, qr/^already stopped by \Q$switch\E: .*fail-over/m, 'is said');
is(get($switch), $before, 'and the first reason stays');
($code, $out) = das('resume', 'over');
is($code, 0, 'das resume');
like($out, qr/^removed \Q$switch\E$/m, 'says what it removed');
ok(!-e $switch, 'and did');
($code, $out, $err) = das('resume');
is("$code$out$err", "0not stopped: there is nothing to remove\n", 'nothing to resume');
($code) = das('stop');
is($code, 0, 'a reason is not needed');
like(get($switch), qr/: no reason given$/m, 'which is noted');
das('resume');

# --- with everything else broken -----------------------------------------------------------------
put("$work/das.lua", 'return {{{');
chmod 0777, $work;
($code, $out, $err) = das('stop', 'broken');
is($code, 0, 'a das.lua that cannot be read');
like($out, qr/^stopped by \Q$work\E\/STOP$/m, 'stops beside it too');
like($err, qr/not in the journal: .*das\.lua/, 'the journal is told last, and is only a warning');
($code, $out, $err) = das('status');
is($code, 2, 'status of a broken das.lua: exit 2');
like($out, qr/^ +stopped by \Q$work\E\/STOP: .*: broken$/m, 'but the switch is shown');
like($err, qr/das\.lua/, 'and the mistake');
($code, $out) = das('resume');
is($code, 0, 'resume works with it');
ok(!-e $switch && !-e "$work/STOP", 'and removes both');
chmod 0000, "$work/das.lua";
($code, $out) = das('stop', 'x');
is($code, 0, 'a das.lua that may not be read');
($code, $out) = das('stop', '--config', "$home/nowhere.lua", 'x');
like("$code$out", qr/^0.*stopped by \Q$home\E\/STOP/s, '--config names a file that is not there');
($code, $out) = das('resume', '--config', "$home/nowhere.lua");
like("$code$out", qr/^0.*removed \Q$home\E\/STOP/s, 'and resumes');
das('resume');
unlink "$work/das.lua";
{
    local $env{STATE_DIRECTORY} = '/proc/nowhere';
    ($code, $out, $err) = das('stop', 'x');
    is($code, 0, 'a state directory that cannot be made');
    like($err, qr{not in the journal: .*/proc/nowhere}, 'is said');
    ($code) = das('resume');
    is($code, 0, 'resume too');
}

# --- places ----------------------------------------------------------------------------------------
{
    local $env{DAS_STOP_DIR} = folder('more');
    local $env{RUNTIME_DIRECTORY} = folder('unit') . ':/nowhere';
    ($code, $out) = das('stop', 'x');
    is_deeply([ sort $out =~ /^stopped by (.*)$/mg ],
        [ sort $switch, "$dir/more/STOP", "$dir/unit/STOP", "$home/.local/state/das/STOP" ],
        'an additional directory, and that of a systemd unit') or diag($out);
    delete local $env{DAS_STOP_DIR};
    ($code, $out) = das('resume');
    is_deeply([ sort $out =~ /^removed (.*)$/mg ],
        [ sort $switch, "$dir/unit/STOP", "$home/.local/state/das/STOP" ], 'only places of this run are removed');
    ok(-e "$dir/more/STOP", 'and no others');
    unlink "$dir/more/STOP";
}
{
    delete local $env{XDG_RUNTIME_DIR};
    ($code, $out) = das('stop', 'x');
    like("$code$out", qr{^0.*stopped by \Q$home\E/\.local/state/das/STOP}s, 'without XDG_RUNTIME_DIR: the state directory');
    is((stat "$home/.local/state/das")[2] & 0777, 0700, 'of the user alone');
    local $env{XDG_STATE_HOME} = folder('states');
    like((das('stop', 'x'))[1], qr{stopped by \Q$dir\E/states/das/STOP}, 'or that of XDG_STATE_HOME');
    das('resume');
}
das('resume');

# --- folders that cannot be written --------------------------------------------------------------
das('stop', 'x');
chmod 0555, "$run/das";
($code, $out, $err) = das('resume');
is($code, 1, 'a STOP that cannot be removed: exit 1');
like($err, qr/\Q$switch\E cannot be removed: Permission denied\ndas resume: still stopped/, 'says which');
ok(-e $switch, 'and is still there');
chmod 0755, "$run/das";
das('resume');
chmod 0555, "$run/das", "$home/.local/state/das";
{
    local $env{DAS_STOP_DIR} = "$dir/more";
    ($code, $out, $err) = das('stop', 'x');
    like("$code$out", qr{^0stopped by \Q$dir\E/more/STOP$}m, 'one place of two is enough');
    like($err, qr/not written: \Q$switch\E: Permission denied/, 'the other is said');
    das('resume');
}
($code, $out, $err) = das('stop', 'x');
is($code, 1, 'no place at all: exit 1');
is($out, '', 'nothing is claimed');
like($err, qr/NOT stopped: no file could be written/, 'and it is said plainly');
chmod 0700, "$run/das", "$home/.local/state/das";
mkdir $switch or die;
($code, $out, $err) = das('resume');
is($code, 1, 'a folder named STOP stops as well');
like($err, qr/\Q$switch\E cannot be removed/, 'and has to be removed by hand');
rmdir $switch;

# --- the whole machine, on a /run of its own -----------------------------------------------------
SKIP: {
    skip 'needs root and a mount namespace', 4 if $< || system('unshare -m mount -t tmpfs none /run 2>/dev/null');
    $out = `cd $work && STATE_DIRECTORY=$dir/machine unshare -m sh -c 'mount -t tmpfs none /run && $das stop all of it; echo exit \$?; stat -c %a /run/das; $das status; $das resume; ls /run/das' 2>$dir/err`;
    like($out, qr{^stopped by /run/das/STOP\n.*^exit 0$}ms, 'root stops the machine') or diag(get("$dir/err"));
    like($out, qr/^755$/m, 'in a folder that everybody may look into');
    like($out, qr{off switch  stopped by /run/das/STOP: .*: all of it$}m, 'which is shown');
    like($out, qr{^removed /run/das/STOP\n\z}m, 'and resumes it');
}

# --- mistakes ----------------------------------------------------------------------------------------
is((das('stop', '--confg', 'x'))[0], 2, 'an unknown option is no reason');
ok(!-e $switch, 'and stops nothing');
is((das('status', 'x'))[0], 2, 'status takes no words');
is((das('status', '-o', 'csv'))[0], 2, 'nor CSV');
for my $command (qw(stop resume status)) {
    ($code, $out) = das('help', $command);
    like("$code$out", qr/^0das $command.*Exit: 0/s, "das help $command");
}
done_testing();
