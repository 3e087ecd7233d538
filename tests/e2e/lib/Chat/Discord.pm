# Discord.pm - Discord: a webhook that das sends to and edits, and slash commands, signed with Ed25519, whose answer is
# deferred, edited, and followed by others. No clicks come back from what a webhook has posted.
package Chat::Discord;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;

my $ROOM = '81384788765712384';
my $APP = '845027738276462632';
my $EPHEMERAL = 64;

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

# No interaction names an address for answers; they come here in place of discord.com.
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

# A field that Discord knows there, and das has no use for, or none at all.
sub strange {
    my ($body, @may) = @_;
    my %may = map { $_ => 1 } qw(allowed_mentions embeds), @may;
    my ($other) = grep { !$may{$_} } sort keys %$body;
    return $other && "a field that has no place here: $other";
}

sub no { my ($self, $status, $code, $words) = @_; $self->fault($words); return Chat::answer($status, { code => $code, message => $words }) }

# Answers to an interaction: for a quarter of an hour. The first takes the place of "thinking".
sub take_answer {
    my ($self, $r, $body, $token, $original) = @_;
    my $place = $self->use_place($token, 6) or return Chat::answer(404, { code => 10015, message => 'Unknown Webhook' });
    return Chat::answer(429, { message => 'You are being rate limited.', retry_after => 0.6, global => JSON::PP::false }) if $self->too_many;
    return $self->no(400, 50035, 'not JSON') if ref $body ne 'HASH' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    my ($text, $wrong) = read_embed($body);
    $wrong //= strange($body, $original ? () : 'flags');
    $wrong //= 'a follow-up that all would see' if !$original && ($body->{flags} // 0) != $EPHEMERAL;
    $wrong //= 'the method is ' . $r->{method} if $r->{method} ne ($original ? 'PATCH' : 'POST');
    my $id = $original ? "o$token" : "f$token.$place->{uses}";
    $wrong //= 'a follow-up, while the first answer still thinks' if !$original && !$self->find("o$token");
    return $self->no(400, 50035, $wrong) if $wrong;
    $self->add({ id => $id, text => $text, only => $place->{who} }) if !$original || !$self->edit($id, { text => $text });
    return Chat::answer(200, { id => "1$place->{uses}" });
}

sub take {
    my ($self, $r, $body) = @_;
    return $self->take_answer($r, $body, $1, $2) if $r->{path} =~ m{^/api/v10/webhooks/$APP/(\w+)(?:/messages/(\@original)|\?wait=true)?$};
    my ($token, $id, $wait) = $r->{path} =~ m{^/api/webhooks/9/(\w+)(?:/messages/(\d+))?(\?wait=true)?$} or return;
    return $self->no(401, 50027, 'Invalid Webhook Token') if $token ne $self->{webhook};
    return Chat::answer(429, { message => 'You are being rate limited.', retry_after => 0.6, global => JSON::PP::false }) if $self->too_many;
    my ($text, $wrong) = read_embed($body);
    $wrong //= strange($body);
    return $self->no(400, 50035, $wrong) if $wrong;
    if ($id) {
        return $self->no(404, 10008, 'Unknown Message') if $r->{method} ne 'PATCH' || !$self->edit($id, { text => $text });
        return Chat::answer(200, { id => $id });
    }
    $id = sprintf '11%d%06d', time, $self->so_far;
    $self->add({ id => $id, text => $text });
    return $wait ? Chat::answer(200, { id => $id }) : [ 204, {}, '' ];
}

# --- people ------------------------------------------------------------------------------------------------------

sub send_interaction {
    my ($self, $who, $what, %opt) = @_;
    my $token = $self->new_place($who, 900);
    my $content = $Chat::json->encode({ id => $self->fresh, application_id => $APP, version => 1, token => $token, channel_id => $ROOM,
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

# The answer is a message (4), or one that is to come (5), for that person alone.
sub shown {
    my ($self, $said, %opt) = @_;
    my $j = $said->{json};
    return if ($opt{what} // '') eq 'question';
    $self->fault("answer: $said->{body}") if ref $j ne 'HASH' || ($j->{type} // 0) !~ /^[45]$/ || ($j->{data}{flags} // 0) != $EPHEMERAL;
    return if ref $j ne 'HASH' || ($j->{type} // 0) != 4;
    my ($text, $wrong) = read_embed($j->{data});
    $wrong //= strange($j->{data}, 'flags');
    $self->fault("answer: $wrong") if $wrong;
    return $text;
}

1;
