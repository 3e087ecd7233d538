# MailServer.pm - an SMTP server on this machine that keeps what it is given: a WebServer that speaks
# another language.
#
#   my $mail = MailServer->new(tls => [cert, key], mode => 'starttls');   # or 'smtps', or no tls
#     login => 'user:password'    wanted before a mail;  refuse => { 'RCPT' => '450 later' }
#   $mail->{port}; $mail->mails     # {from, to => [...], data, login, secure}
package MailServer;
use strict;
use warnings;
use Fcntl qw(:flock);
use JSON::PP;
use MIME::Base64;
use parent -norequire, 'WebServer';
use WebServer;

sub secure {
    my ($self, $client) = @_;
    require IO::Socket::SSL;
    return IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => $self->{tls}[0],
        SSL_key_file => $self->{tls}[1]);
}

# A line without its end; undef when the client is gone.
sub line {
    my ($self, $client) = @_;
    while (1) {
        return $1 if $self->{buffer} =~ s/^(.*?)\r\n//s;
        sysread($client, $self->{buffer}, 65536, length $self->{buffer}) or return undef;
    }
}

sub serve {
    my ($self, $client) = @_;
    my $mode = $self->{mode} // '';
    my $secure = $mode eq 'smtps';
    my ($from, @to, $login);
    my $say = sub { WebServer::syswrite_all($client, "$_[0]\r\n") };
    $self->{buffer} = '';
    if ($secure) { $self->secure($client) or return }
    $say->('220 sink ESMTP');
    while (defined(my $line = $self->line($client))) {
        my ($verb) = $line =~ /^(\w+)/;
        my $no = $self->{refuse}{ uc($verb // '') };
        if ($no) { $say->($no) }
        elsif ($line =~ /^EHLO/i) {
            my @can = ('sink', '8BITMIME');
            push @can, 'STARTTLS' if $mode eq 'starttls' && !$secure;
            push @can, 'AUTH PLAIN' if $self->{login};
            $say->('250' . ($_ == $#can ? ' ' : '-') . $can[$_]) for 0 .. $#can;
        }
        elsif ($line =~ /^STARTTLS/i && $mode eq 'starttls') {
            $say->('220 go on');
            $self->{buffer} = '';
            $self->secure($client) or return;
            $secure = 1;
        }
        elsif ($line =~ /^AUTH PLAIN(?: (\S+))?/i) {
            my $given = $1;
            if (!$given) { $say->('334 '); $given = $self->line($client) // return }
            (undef, my @parts) = split /\0/, decode_base64($given);
            $login = join ':', @parts;
            $say->($login eq ($self->{login} // '') ? '235 welcome' : '535 no');
        }
        elsif ($line =~ /^MAIL FROM:<(.*?)>/i) { $from = $1; $say->('250 ok') }
        elsif ($line =~ /^RCPT TO:<(.*?)>/i) { push @to, $1; $say->('250 ok') }
        elsif ($line =~ /^DATA/i) {
            my @data;
            $say->('354 go on');
            while (1) {
                my $l = $self->line($client) // return;
                last if $l eq '.';
                push @data, $l =~ s/^\.//r;
            }
            $self->note({ from => $from, to => [@to], data => join("\n", @data) . "\n", login => $login,
                secure => $secure ? 1 : 0 });
            $say->('250 kept');
        }
        elsif ($line =~ /^QUIT/i) { $say->('221 bye'); return }
        else { $say->('502 what?') }
    }
}

sub note {
    my ($self, $mail) = @_;
    open my $log, '>>', $self->{log} or die;
    flock $log, LOCK_EX;
    print $log encode_json($mail), "\n";
    close $log;
}

sub mails { my ($self) = @_; return $self->requests }

1;
