# Discord.pm - Discord: a webhook that das sends to and edits, and slash commands, signed with Ed25519. No clicks come back
# from what a webhook has posted.
package Chat::Discord;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;

my $ROOM = '81384788765712384';

sub set_up {
    my ($self) = @_;
    $self->{pem} = "$self->{dir}/ed25519.pem";
    Chat::openssl('', 'genpkey', '-algorithm', 'ed25519', '-out', $self->{pem});
    $self->{public_key} = unpack 'H*', substr Chat::openssl('', 'pkey', '-in', $self->{pem}, '-pubout', '-outform', 'DER'), -32;
    $self->{webhook} = Chat::random_hex(24);
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'discord', url = " . $self->place(url => "$self->{url}/api/webhooks/9/$self->{webhook}") . ', insecure = true, rate = 6000 }';
}

# The address of answers is Discord's own in every interaction, which is none that a test may ask: they go to the channel.
sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'discord', path = '$self->{path}', verify = { public_keys = " . $self->place(public_key => $self->{public_key})
        . " }, reply_hosts = { '127.0.0.1:$self->{web}{port}' }, insecure = true, channel = 'discord', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

sub read_embed {
    my ($body) = @_;
    return (undef, 'mentions') if ref $body ne 'HASH' || @{ $body->{allowed_mentions}{parse} // [ 1 ] };
    my ($length, @lines) = (0);
    for my $e (@{ $body->{embeds} || [] }) {
        return (undef, 'embed: too long') if length($e->{title} // '') > 256 || length($e->{description} // '') > 4096 || @{ $e->{fields} || [] } > 25;
        return (undef, 'embed: a field') if grep { !length $_->{name} || !length $_->{value} || length $_->{name} > 256 || length $_->{value} > 1024 } @{ $e->{fields} || [] };
        push @lines, grep { defined } $e->{title}, $e->{description}, map { "$_->{name} $_->{value}" } @{ $e->{fields} || [] };
        push @lines, $e->{url} if $e->{url};
    }
    push @lines, $body->{content} if length($body->{content} // '');
    my $text = join "\n", @lines;
    return (undef, 'embed: more than 6000') if length $text > 6000;
    return (undef, 'Cannot send an empty message') if !length $text;
    $text =~ s/\\([^A-Za-z0-9\s])/$1/g;
    return ($text);
}

sub take {
    my ($self, $r, $body) = @_;
    my ($token, $id, $wait) = $r->{path} =~ m{^/api/webhooks/9/(\w+)(?:/messages/(\d+))?(\?wait=true)?$} or return;
    return Chat::answer(401, { code => 50027, message => 'Invalid Webhook Token' . ($self->fault('token') || '') }) if $token ne $self->{webhook};
    return Chat::answer(429, { message => 'You are being rate limited.', retry_after => 0.6, global => JSON::PP::false }) if $self->too_many;
    my ($text, $wrong) = read_embed($body);
    return Chat::answer(400, { code => 50035, message => $wrong . ($self->fault($wrong) || '') }) if $wrong;
    if ($id) {
        return Chat::answer(404, { code => 10008, message => 'Unknown Message' . ($self->fault('edits what is not there') || '') })
            if $r->{method} ne 'PATCH' || !$self->edit($id, { text => $text });
        return Chat::answer(200, { id => $id });
    }
    $id = sprintf '11%d%06d', time, $self->so_far;
    $self->add({ id => $id, text => $text });
    return $wait ? Chat::answer(200, { id => $id }) : [ 204, {}, '' ];
}

# --- people ------------------------------------------------------------------------------------------------------

sub send_interaction {
    my ($self, $who, $what, %opt) = @_;
    my $content = $Chat::json->encode({ id => $self->fresh, application_id => '845027738276462632', version => 1, token => Chat::random_hex(40), channel_id => $ROOM,
        $who ? (member => { user => { id => $self->id($who), username => $opt{display} // $who } }) : (), %$what });
    my $now = $opt{at} // time;
    my $sign = unpack 'H*', Chat::openssl("$now$content", 'pkeyutl', '-sign', '-rawin', '-inkey', $opt{pem} // $self->{pem}, '-in', '@');
    return $self->deliver({ 'Content-Type' => 'application/json', 'X-Signature-Timestamp' => $now, 'X-Signature-Ed25519' => $sign }, $content, who => $who, %opt);
}

sub type {
    my ($self, $who, $text, %opt) = @_;
    return $self->send_interaction($who, { type => 2, data => { id => '7', name => 'das', type => 1, options => [ { name => 'line', type => 3, value => $text } ] } }, %opt);
}

sub ask_who { my ($self, %opt) = @_; return $self->send_interaction(undef, { type => 1 }, what => 'question', %opt) }

sub shown {
    my ($self, $said) = @_;
    my $j = $said->{json};
    return if ref $j ne 'HASH' || ($j->{type} // 0) != 4;
    return $j->{data}{content} if length($j->{data}{content} // '');
    my ($text, $wrong) = read_embed($j->{data});
    $self->fault("answer: $wrong") if $wrong;
    return $text;
}

1;
