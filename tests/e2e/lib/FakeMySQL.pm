# FakeMySQL.pm - says what a MySQL 8 would say, where no MySQL 8 can be installed.
#
#   my $my = FakeMySQL->new([ [qr/^SELECT \@\@performance_schema/, ['a', 'b', 'c'], [1, 0, 1]], ... ]);
#
# Each answer is a pattern, the names of the columns and the rows; [pattern, 1227, 'text'] is an
# error, [pattern] an OK. A session that was killed is in no list any more, unless $immortal is set
# when the server is made. The first pattern that fits a statement answers it. $my->statements is
# what was asked so far. It proves what das asks and how it reads answers, not what MySQL does.
package FakeMySQL;
use strict;
use warnings;
use File::Temp qw(tempfile);
use IO::Socket::INET;
use POSIX ();

our $immortal;    # kills are answered with OK and do nothing

sub new {
    my ($class, $answers, $version) = @_;
    my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!\n";
    my (undef, $log) = tempfile(UNLINK => 1);
    my $self = bless { owner => $$, log => $log, port => $listen->sockport }, $class;
    $self->{pid} = fork // die "fork: $!\n";
    return $self if $self->{pid};
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    while (my $client = $listen->accept) {
        eval { serve($client, $answers, $version || '8.0.36', $log) };
        close $client;
    }
    POSIX::_exit(0);
}

sub send_packet {
    my ($s, $seq, $body) = @_;
    syswrite $s, substr(pack('V', length $body), 0, 3) . chr($$seq++ & 255) . $body;
}

sub read_packet {
    my ($s, $seq) = @_;
    my ($head, $body) = ('', '');
    while (length $head < 4) { sysread($s, $head, 4 - length $head, length $head) or die "eof\n" }
    my $want = unpack 'V', substr($head, 0, 3) . "\0";
    $$seq = ord(substr $head, 3) + 1;
    while (length $body < $want) { sysread($s, $body, $want - length $body, length $body) or die "eof\n" }
    return $body;
}

sub lenenc {
    my ($text) = @_;
    return "\xfb" unless defined $text;
    my $n = length $text;
    return ($n < 251 ? chr $n : "\xfc" . pack 'v', $n) . $text;
}

my $OK = "\0\0\0\x02\0\0\0";
my $EOF = "\xfe\0\0\x02\0";

sub result {
    my ($s, $seq, $names, @rows) = @_;
    send_packet($s, $seq, chr @$names);
    send_packet($s, $seq, join('', map { lenenc($_) } 'def', '', '', '', $_, $_)
            . "\x0c" . pack('vVCvCv', 45, 1024, 253, 0, 0, 0)) for @$names;
    send_packet($s, $seq, $EOF);
    send_packet($s, $seq, join '', map { lenenc($_) } @$_) for @rows;
    send_packet($s, $seq, $EOF);
}

sub serve {
    my ($s, $answers, $version, $log) = @_;
    my $seq = 0;
    my %killed;
    # 4.1 protocol, secure connection, plugin authentication, connect with db
    my $caps = 0x0000_0200 | 0x0000_8000 | 0x0008_0000 | 0x0000_0009;
    send_packet($s, \$seq, "\x0a$version\0" . pack('V', 77) . '12345678' . "\0"
            . pack('v', $caps & 0xffff) . "\x2d" . pack('v', 2) . pack('v', $caps >> 16)
            . chr(21) . "\0" x 10 . "123456789012\0" . "mysql_native_password\0");
    read_packet($s, \$seq);
    send_packet($s, \$seq, $OK);
    while (1) {
        my $packet = read_packet($s, \$seq);
        my $command = ord $packet;
        return if $command == 1;    # quit
        my $sql = substr $packet, 1;
        open my $fh, '>>', $log or die;
        print $fh "$sql\n";
        close $fh;
        my ($answer) = grep { $sql =~ $_->[0] } @$answers;
        if (!$answer) {
            send_packet($s, \$seq, "\xff" . pack('v', 1064) . "#42000no answer to this");
        } elsif (@$answer == 1) {
            $killed{$1} = 1 if !$immortal && $sql =~ /^KILL (?:\w+ )*(\d+)$/;
            send_packet($s, \$seq, $OK);
        } elsif (!ref $answer->[1]) {
            send_packet($s, \$seq, "\xff" . pack('v', $answer->[1]) . "#HY000$answer->[2]");
        } else {
            my ($names, @rows) = @$answer[ 1 .. $#$answer ];
            result($s, \$seq, $names, grep { !$killed{ $_->[0] } } @rows);
        }
    }
}

sub statements {
    my ($self) = @_;
    open my $fh, '<', $self->{log} or return;
    my @lines = <$fh>;
    chomp @lines;
    return @lines;
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner};
    local ($?, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
