# Alertmanager.pm - Alertmanager, version 4 of its webhook: a bearer token, two peers that both send, and again what was not
# taken. It is no chat: nobody sees anything here.
package Chat::Alertmanager;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use POSIX qw(strftime);

sub set_up { my ($self) = @_; $self->{token} = Chat::random_hex(20) }

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'alertmanager', path = '$self->{path}', verify = { tokens = " . $self->place(token => $self->{token}) . " }, $more }";
}

sub take { return }

# An alert: { alertname, instance, severity, summary, started => Unix s, resolved => 1 }
sub alert {
    my ($a) = @_;
    my %labels = (alertname => $a->{alertname}, instance => $a->{instance}, severity => $a->{severity} // 'critical');
    return { status => $a->{resolved} ? 'resolved' : 'firing', labels => \%labels, annotations => { summary => $a->{summary} // '' },
        startsAt => strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime $a->{started}), endsAt => $a->{resolved} ? strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime) : '0001-01-01T00:00:00Z',
        generatorURL => 'http://prometheus.example/graph', fingerprint => substr Digest::SHA::sha256_hex(join '|', map { "$_=$labels{$_}" } sort keys %labels), 0, 16 };
}

sub fire {
    my ($self, $alerts, %opt) = @_;
    my @alerts = map { alert($_) } @$alerts;
    my $firing = grep { $_->{status} eq 'firing' } @alerts;
    my $body = $Chat::json->encode({ version => $opt{version} // '4', groupKey => '{}:{alertname="' . $alerts->[0]{alertname} . '"}', truncatedAlerts => 0,
        status => $firing ? 'firing' : 'resolved', receiver => 'das', groupLabels => { alertname => $alerts->[0]{alertname} }, commonLabels => {},
        commonAnnotations => {}, externalURL => 'http://alertmanager.example', alerts => \@alerts });
    return $self->deliver({ 'Content-Type' => 'application/json', 'User-Agent' => 'Alertmanager/0.27.0', Authorization => 'Bearer ' . ($opt{token} // $self->{token}) }, $body);
}

sub shown { return }

1;
