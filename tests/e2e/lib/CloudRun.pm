# CloudRun.pm - the typed calls of the DAS API, one order at a time (tests/e2e/cloud_run.c).
#
#   my $run = CloudRun->new($server, rate => 0, retries => 2);     keys as cloud_run.c has them
#   my $r = $run->order('preview time=5');     {ok, status, attempts, text} or
#                                              {code, status, attempts, unknown, late, error, request, text}
package CloudRun;
use strict;
use warnings;
use IPC::Open3;
use Symbol 'gensym';

my $program = ($ENV{BUILD} || 'build') . '/tests/e2e/cloud_run';

sub new {
    my ($class, $server, %key) = @_;
    my $env = delete $key{env} || $server->env;
    my $spec = delete $key{spec} || "das://@{[ $server->region ]}/@{[ $server->project ]}/@{[ $server->instance ]}";
    my $endpoint = delete $key{endpoint} || $server->endpoint;
    my $self = bless { all => '' }, $class;
    %key = (rate => 0, wait => 1, max_wait => 20, $server->ca ? (ca => $server->ca) : (), %key);
    local %ENV = (%ENV, %$env);
    $self->{err} = gensym;
    $self->{pid} = open3(@$self{qw(in out err)}, $program, $endpoint, $spec, map {"$_=$key{$_}"} grep { defined $key{$_} } sort keys %key);
    return $self;
}

sub order {
    my ($self, $line) = @_;
    print { $self->{in} } "$line\n";
    $self->{in}->flush;
    my $answer = readline $self->{out};
    if (!defined $answer) {
        my $why = join '', readline $self->{err};
        return { code => 'died', text => $why, status => 0, attempts => 0, unknown => 0 };
    }
    $self->{all} .= $answer;
    chomp $answer;
    return { ok => 1, status => $1, attempts => $2, text => $3 // '' } if $answer =~ /^ok (\d+) (\d+) ?(.*)/s;
    return { code => $1, status => $2, attempts => $3, unknown => $4 eq 'unknown' || 0, late => $4 eq 'late' || 0, error => $5, request => $6, text => $7 }
        if $answer =~ /^! (\S+) (\d+) (\d+) (\S+) (\S+) (\S+): (.*)/s;
    return { code => 'garbled', text => $answer, status => 0, attempts => 0, unknown => 0 };
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $SIG{PIPE}) = (0, 'IGNORE');
    # a server that was forked meanwhile holds the pipe open, too: its end would not be seen
    print { $self->{in} } "quit\n";
    close $self->{in};
    waitpid $self->{pid}, 0;
}

1;
