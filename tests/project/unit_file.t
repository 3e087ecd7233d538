#!/usr/bin/perl
# unit_file.t - systemd understands docs/das-serve.service, and what it takes away from the server
# leaves little. With what systemd itself brings; where that is not installed this is skipped.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);

my $das = $ENV{DAS} || 'build/das';
chomp($das = `realpath '$das'`);
my $unit = do { open my $in, '<', 'docs/das-serve.service' or die; local $/; <$in> };
my $dir = tempdir(CLEANUP => 1);

# --- what needs nobody to read it ----------------------------------------------------------------
my %said;
push @{ $said{$1} }, $2 while $unit =~ /^(\w+)=(.*)$/mg;
my $once = sub { my $v = $said{ $_[0] } || []; return @$v == 1 ? $v->[0] : 'said ' . @$v . ' times' };
is($once->('Type'), 'notify', 'ready when it says so');
like($once->('ExecReload'), qr{^/bin/kill -HUP \$MAINPID$}, 'systemctl reload is SIGHUP');
is($once->('WatchdogSec'), 30, 'a server that hangs is started again');
is($once->('StateDirectory'), 'das', 'its state is /var/lib/das');
cmp_ok($once->('TimeoutStopSec'), '>', 30, 'stopping waits longer than serve.drain');
cmp_ok($once->('LimitNOFILE'), '>', 2 * 1024, 'there are descriptors for all connections');
cmp_ok($once->('TasksMax'), '>', 2 * 1024, 'and threads');
ok(!$said{RuntimeDirectory}, 'no RuntimeDirectory: the STOP file has to outlive the server');
is_deeply([ grep { !/^\s*(?:#|;|$)/ && !/^\[\w+\]$/ && !/^[A-Z]\w+=/ } split /\n/, $unit ], [], 'no line is anything else');

# --- and what systemd thinks -----------------------------------------------------------------------
sub analyze {
    my ($file, @args) = @_;
    my $out = `systemd-analyze @args '$file' 2>&1`;
    return ($? >> 8, $out);
}
sub with {
    my ($name, $change) = @_;
    my $text = $unit =~ s/^ExecStart=\S+/ExecStart=$das/mr;
    $text = $change->($text) if $change;
    my $file = "$dir/$name.service";
    open my $out, '>', $file or die;
    print $out $text;
    close $out or die;
    return $file;
}

SKIP: {
    my $version = `systemd-analyze --version 2>/dev/null`;
    my ($number) = ($version || '') =~ /^systemd (\d+)/;
    skip 'systemd-analyze is not installed (package systemd)', 1 unless $number;
    my ($code, $out) = analyze(with('das-serve'), 'verify', '--man=no');
    ok($code == 0 && $out !~ /das-serve/, 'systemd-analyze verify has nothing to say') or diag($out);
    ($code, $out) = analyze(with('das-wrong', sub { $_[0] =~ s/^WatchdogSec=30/WatchdogSec=often/mr }), 'verify', '--man=no');
    like($out, qr/das-wrong\.service:\d+: .*often/, 'it would say so');

    skip "systemd $number cannot judge a file", 1 if $number < 250;
    my @judge = ('security', '--offline=true', '--no-pager', '--threshold=20');
    ($code, $out) = analyze(with('das-serve'), @judge);
    my ($level) = $out =~ /exposure level for \S+: (\d+\.\d+)/;
    ok($code == 0 && defined $level, 'systemd-analyze security: at most 2.0 of 10') or diag($out);
    note("exposure level $level") if defined $level;
    ($code, $out) = analyze(with('das-open', sub { $_[0] =~ s/^CapabilityBoundingSet=\n//mr =~ s/^ProtectSystem=.*\n//mr =~ s/^SystemCallFilter=.*\n//mgr }), @judge);
    isnt($code, 0, 'one with capabilities, all system calls and the whole file system would be too open');
}
done_testing();
