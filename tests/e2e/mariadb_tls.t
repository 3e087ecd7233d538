#!/usr/bin/perl
# TLS: verified unless the way is local, and nothing weaker unless it is asked for.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use MariaDB;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new(tls => 1);
$db->sql("CREATE USER tls\@'%' REQUIRE SSL; CREATE USER any\@'%'");

sub works {
    my ($name, $url) = @_;
    my $r = das_json($url, '--user', '%');
    is $r->{exit}, 0, $name or diag $r->{err};
    ok $r->{json} && $r->{json}{total_count} >= 1, '... and lists sessions';
}

sub fails {
    my ($name, $url, @says) = @_;
    my $r = das_json($url, '--user', '%');
    is $r->{exit}, 1, $name;
    like $r->{err}, $_, "... and says $_" for @says;
    is $r->{out}, '', '... with nothing on standard output';
}

# "127.1" is the same address, but neither local in das's eyes nor a name in the certificate
works 'verified by name', $db->url('tls', tcp => 'localhost', ssl => 'verify', ssl_ca => $db->{ca});
works 'verified by address', $db->url('tls', tcp => '127.0.0.1', ssl_ca => $db->{ca});
works 'over the socket', $db->url('tls', ssl_ca => $db->{ca});
fails 'an authority that nobody knows', $db->url('tls', tcp => 'localhost', ssl => 'verify'),
    qr/certificate/, qr/ssl_ca=/, qr/ssl=off/;
fails 'another authority', $db->url('tls', tcp => 'localhost', ssl_ca => $db->{other_ca}),
    qr/certificate/;
fails 'another host than the certificate names', $db->url('tls', tcp => '127.1', ssl_ca => $db->{ca}),
    qr/certificate/, qr/host/;
fails 'verified is the default for a host that is not local', $db->url('tls', tcp => '127.1'),
    qr/certificate/, qr/ssl_ca=/;
fails 'a file that is missing', $db->url('tls', tcp => 'localhost', ssl_ca => '/nowhere/ca.pem');
works 'encrypted without a check', $db->url('tls', tcp => '127.1', ssl => 'encrypt');
works 'plain when it is said', $db->url('any', tcp => '127.1', ssl => 'off');
works 'plain by default where the way is local', $db->url('any', tcp => '127.0.0.1');
fails 'plain, and the account wants TLS', $db->url('tls', tcp => '127.1', ssl => 'off'),
    qr/Access denied/;

# ~/.my.cnf is for names and passwords: it cannot weaken what the URL says
my $home = with_home('.my.cnf' => "[client]\nuser=tls\nssl-verify-server-cert=0\nskip-ssl\n"
        . "ssl-ca=$db->{ca}\n");
my $r = das_json({ env => { HOME => $home } }, $db->url('tls', tcp => '127.1'), '--user', '%');
is $r->{exit}, 1, '~/.my.cnf does not switch verification off';

$db->stop;
$db->{tls} = 0;
$db->start;
works 'a server without TLS, plain', $db->url('any', tcp => '127.1', ssl => 'off');
fails 'a server without TLS, verified', $db->url('any', tcp => '127.1', ssl_ca => $db->{ca}),
    qr/no TLS/, qr/ssl=off/;
fails 'a server without TLS, encrypted', $db->url('any', tcp => '127.1', ssl => 'encrypt'),
    qr/no TLS/;

done_testing;
