#!/usr/bin/perl
# serve_life.t - das serve from its start to its end: when it refuses to start, what it tells systemd, what SIGHUP does, and
# how it ends while a kill is under way.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use IO::Socket::SSL;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Time::HiRes qw(sleep time);
use Das qw(das das_start das_finish wait_for);
use Herd;
use MariaDB;
use Serve;

# --- no start ------------------------------------------------------------------------------------------
my $s = Serve->new(instances => { orders => 'mem:tests/samples/recording.jsonl' }, keys => 0, start => 0);
sub refuses { my ($why, $what, @args) = @_; my $r = das($s->opt, 'serve', @args);
    is($r->{exit}, 2, $what);
    like($r->{err}, $why, '... and says why') }
refuses(qr/no credential: das key create/, 'without any key');
my $old = $s->make_key('--name', 'old', '--expires', '1s');
ok(wait_for(sub { das($s->opt, 'key', 'list')->{out} =~ /expired/ }, 10), 'a key that is over');
refuses(qr/none that is good now/, 'is none');
$s->{key} = $s->make_key('--name', 'all', '--actions', 'all', '--instances', '*');
refuses(qr/other machines reach 0\.0\.0\.0.*tls.*insecure = true/, 'plain HTTP for other machines', '--listen', '0.0.0.0:7070');
refuses(qr/ADDRESS:PORT|address/, 'an address that is none', '--listen', 'here');
refuses(qr/no instance "nobody"/, 'an instance that is none', '-i', 'nobody');
my $empty = File::Temp->new(SUFFIX => '.lua');
print $empty qq(return { state = "$s->{state}" }\n);
close $empty;
like(das('serve', '--config', "$empty")->{err}, qr/there is no instance/, 'no instance at all');
$s->write_config(serve => 'mode = "auto", insecure = true');
my $far = das_start($s->opt, 'serve', '--listen', "0.0.0.0:$s->{port}");
ok(wait_for(sub { Das::so_far($far) =~ m{^das serve: http://0\.0\.0\.0:}m }, 20), 'insecure = true is a word');
kill 'TERM', $far->{pid};
is(das_finish($far)->{exit}, 0, 'and it ends');

# --- systemd and SIGHUP, over TLS --------------------------------------------------------------------------
my $socket = "$s->{dir}/notify";
my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $socket) or die "$socket: $!";
$manager->blocking(0);
my (@heard, @at);
my $hear = sub { while (defined $manager->recv(my $text, 4096)) { push @heard, $text; push @at, time } return join ' ', @heard };
$s->make_certificate('server');
$s->{tls} = 1;
$s->{env} = { NOTIFY_SOCKET => $socket, WATCHDOG_USEC => 1_000_000 };
$s->write_config(serve => 'mode = "auto"');
$s->start;
ok(wait_for(sub { $hear->() =~ /READY=1\nSTATUS=1 instance at https:/ }, 10), 'READY, and what it serves') or diag(@heard);
ok(wait_for(sub { (() = $hear->() =~ /WATCHDOG=1/g) >= 3 }, 20), 'WATCHDOG again and again');
my $serial = sub { my $c = IO::Socket::SSL->new(PeerAddr => "127.0.0.1:$s->{port}", SSL_verify_mode => 0) or return '';
    return $c->get_fingerprint };
my $first = $serial->();
ok($first, 'a certificate');
$s->make_certificate('server');
@heard = ();
$s->signal('HUP');
ok(wait_for(sub { $hear->() =~ /RELOADING=1.*READY=1/s }, 10), 'RELOADING and READY');
my $second = $serial->();
ok($second && $second ne $first, 'the new certificate');
open my $broken, '>', "$s->{dir}/server.pem" or die;
print $broken "no certificate\n";
close $broken;
$s->signal('HUP');
ok(wait_for(sub { $s->log =~ /certificate: .*the old one stays in use/ }, 10), 'one that is broken is told');
is($serial->(), $second, 'and the old one stays');
@heard = ();
is($s->stop->{exit}, 0, 'it ends in order');
like($hear->(), qr/STOPPING=1/, 'and says so');

# --- the end while a kill is under way -----------------------------------------------------------------------
SKIP: {
    skip MariaDB::missing(), 6 if MariaDB::missing();
    my $db = MariaDB->new;
    $db->sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB; CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost;'
        . ' CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost');
    my $herd = Herd->new($db->{socket});
    my $id = $herd->add('app', 'shop', 'SELECT SLEEP(1000)');
    my $s = Serve->new(instances => { db => "mysql://das\@localhost/?socket=$db->{socket}" }, serve => 'mode = "auto", outcome_wait = "3s"');
    $s->id('db');
    my $pid = fork // die;
    if (!$pid) {
        $s->{http} = undef;
        my $r = $s->ask(POST => $s->path('db', 'kill-process'), { engine_type => 'MySQL', processes => [ { id => 0 + $id, user => 'app' } ] });
        POSIX::_exit($r->{status} == 200 && $r->{json}{count} == 1 ? 0 : 1);
    }
    ok(wait_for(sub { das($s->opt, 'audit', 'list', '--kind', 'apply', '-o', 'json')->{out} =~ /apply/ }, 20), 'a kill is under way');
    my $end = $s->stop;
    ok($end->{exit} == 0 || $end->{exit} == 4, 'the server ends') or diag($end->{err});
    waitpid $pid, 0;
    is($? == 0 || $end->{exit} == 4, 1, 'who asked has the answer, or the end says that somebody has none');
    is($db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $id"), 0, 'the session is gone');
    is(das($s->opt, 'audit', 'list', '--unknown', '-o', 'json')->{out}, '', 'nothing is unknown');
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
}
done_testing();
