# Teams.pm - Microsoft Teams: a workflow that das sends to, and an outgoing webhook, which takes its answer at once and
# nowhere else. Nothing comes back from a card: no buttons.
package Chat::Teams;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64;
use POSIX qw(strftime);

sub set_up {
    my ($self) = @_;
    $self->{secret} = encode_base64(pack('H*', Chat::random_hex(32)), '');
    $self->{sig} = Chat::random_hex(16);
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'teams', url = " . $self->place(url => "$self->{url}/workflows/1/triggers/manual/paths/invoke?sig=$self->{sig}")
        . ', insecure = true, rate = 6000 }';
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'teams', path = '$self->{path}', verify = { secrets = " . $self->place(secret => $self->{secret}) . " }, channel = 'teams', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

my %RUN = map { $_ => 1 } qw(type text weight size color fontType isSubtle);
my %VALUE = (weight => qr/^(?:Lighter|Default|Bolder)$/, size => qr/^(?:Small|Default|Medium|Large|ExtraLarge)$/, fontType => qr/^(?:Default|Monospace)$/,
    color => qr/^(?:Default|Dark|Light|Accent|Good|Warning|Attention)$/);

sub read_run {
    my ($run) = @_;
    return (undef, 'a run without text') if ref $run ne 'HASH' || ($run->{type} // '') ne 'TextRun' || !length($run->{text} // '');
    for my $key (sort keys %$run) {
        return (undef, "a run with $key") if !$RUN{$key} || ($VALUE{$key} && $run->{$key} !~ $VALUE{$key});
    }
    return ($run->{text});
}

sub read_card {
    my ($body) = @_;
    return (undef, 'no message') if ref $body ne 'HASH' || ($body->{type} // '') ne 'message';
    my ($a, @more) = @{ $body->{attachments} || [] };
    return (undef, 'not one attachment') if !$a || @more;
    return (undef, 'no adaptive card') if ($a->{contentType} // '') ne 'application/vnd.microsoft.card.adaptive' || ($a->{content}{type} // '') ne 'AdaptiveCard'
        || ($a->{content}{version} // '') !~ /^1\.[0-5]$/ || ref $a->{content}{body} ne 'ARRAY' || !@{ $a->{content}{body} };
    my @lines;
    for my $e (@{ $a->{content}{body} }) {
        return (undef, "an element in which Markdown is read: $e->{type}") if $e->{type} ne 'RichTextBlock' || !@{ $e->{inlines} || [] };
        my @read = map { [ read_run($_) ] } @{ $e->{inlines} };
        my ($wrong) = map { $_->[1] // () } @read;
        return (undef, $wrong) if $wrong;
        push @lines, join '', map { $_->[0] } @read;
    }
    for my $x (@{ $a->{content}{actions} || [] }) {
        return (undef, 'an action that is none') if ($x->{type} // '') ne 'Action.OpenUrl' || !length($x->{title} // '') || ($x->{url} // '') !~ m{^https?://\S+$};
        push @lines, $x->{url};
    }
    return (join "\n", @lines);
}

sub take {
    my ($self, $r, $body) = @_;
    my ($sig) = $r->{path} =~ m{^/workflows/.*[?&]sig=(\w+)$} or return;
    return [ 401, {}, $self->fault('the sig is wrong') ] if $sig ne $self->{sig};
    return Chat::answer(429, {}, 'Retry-After' => 1) if $self->too_many;
    return [ 400, {}, $self->fault('not JSON') ] if $r->{method} ne 'POST' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    return [ 413, {}, $self->fault('too long: ' . length $r->{body}) ] if length $r->{body} > 28 * 1024;
    my ($text, $wrong) = read_card($body);
    return [ 400, {}, $self->fault($wrong) ] if $wrong;
    $self->add({ id => 't' . Chat::random_hex(8), text => $text });
    return [ 202, {}, '' ];
}

# --- people ------------------------------------------------------------------------------------------------------

sub signed {
    my ($secret, $content) = @_;
    return { 'Content-Type' => 'application/json; charset=utf-8', Authorization => 'HMAC ' . encode_base64(hmac_sha256($content, decode_base64($secret)), '') };
}

sub iso { return strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime($_[0] // time)) }

sub type {
    my ($self, $who, $text, %opt) = @_;
    s/&/&amp;/g, s/</&lt;/g, s/>/&gt;/g for $text;
    my $content = $Chat::json->encode({ type => 'message', id => $self->fresh, timestamp => iso($opt{at}),
        serviceUrl => 'https://smba.example/', channelId => 'msteams', from => { id => "29:$who", name => $opt{display} // $who, aadObjectId => $self->id($who) },
        conversation => { id => '19:1@thread.tacv2', isGroup => JSON::PP::true }, text => "<at>das</at> $text", textFormat => 'plain' });
    return $self->deliver(signed($opt{secret} // $self->{secret}, $content), $content, who => $who, %opt);
}

# All of the channel sees the answer.
sub shown {
    my ($self, $said, %opt) = @_;
    my ($text, $wrong) = read_card(ref $said->{json} eq 'HASH' ? $said->{json} : {});
    $self->fault("answer: $wrong") if $wrong;
    return $text;
}

1;
