# Feishu.pm - Feishu: an app with messages to its bot, cards with buttons that are edited, events and callbacks that are
# encrypted and signed.
package Chat::Feishu;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use Digest::SHA qw(sha256 sha256_hex);
use JSON::PP;
use MIME::Base64;

my $ROOM = 'oc_84983ff6516d731e5b5f68d4ea2e1da5';

sub set_up {
    my ($self) = @_;
    $self->{app_secret} = Chat::random_hex(16);
    $self->{encrypt_key} = Chat::random_hex(16);
    $self->{verification} = Chat::random_hex(16);
    $self->{tenant_token} = 't-' . Chat::random_hex(12);
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'feishu', app = 'cli_a1b2', secret = " . $self->place(app_secret => $self->{app_secret}) . ", channel = '$ROOM',"
        . " endpoint = '$self->{url}', insecure = true, rate = 6000 }";
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'feishu', path = '$self->{path}', verify = { tokens = " . $self->place(verification => $self->{verification})
        . ', encrypt_keys = ' . $self->place(encrypt_key => $self->{encrypt_key}) . " }, channel = 'feishu', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

sub read_card {
    my ($content) = @_;
    my $bytes = $content;
    utf8::encode($bytes);
    return ('230025: ' . length $bytes) if length $bytes > 30 * 1024;
    my $card = eval { JSON::PP->new->decode($content) };    # JSON in JSON: its bytes were decoded with the outer one
    return ('230001: content is no card') if ref $card ne 'HASH' || ref $card->{elements} ne 'ARRAY' || !@{ $card->{elements} };
    return ('230001: a card that cannot be edited for all') if !$card->{config}{update_multi};
    my ($other) = grep { !/^(?:config|header|elements)$/ } sort keys %$card;
    return ("200621: unknown property $other") if $other;
    my (@lines, @buttons);
    if (my $header = $card->{header}) {
        return ('200621: a title that is no plain text') if ($header->{title}{tag} // '') ne 'plain_text' || !length($header->{title}{content} // '');
        return ("200621: unknown template $header->{template}") if $header->{template} !~ /^(?:blue|wathet|turquoise|green|yellow|orange|red|carmine|violet|purple|indigo|grey)$/;
        push @lines, $header->{title}{content};
    }
    for my $e (@{ $card->{elements} }) {
        my @texts = $e->{tag} eq 'div' ? ($e->{text} || (), map { $_->{text} } @{ $e->{fields} || [] }) : ();
        return ("200621: a text of another kind: $_->{tag}") for grep { $_->{tag} ne 'plain_text' } @texts;
        push @lines, map { $_->{content} } @texts;
        for my $x ($e->{tag} eq 'action' ? @{ $e->{actions} } : ()) {
            return ('200621: a button that is none') if ($x->{tag} // '') ne 'button' || ($x->{text}{tag} // '') ne 'plain_text' || !length($x->{text}{content} // '')
                || $x->{type} !~ /^(?:default|primary|danger)$/ || (ref $x->{value} ne 'HASH') == !defined $x->{url};
        }
        push @buttons, map { { label => $_->{text}{content}, value => $_->{value}, url => $_->{url} } } @{ $e->{actions} } if $e->{tag} eq 'action';
        return ("200621: unknown tag $e->{tag}") if $e->{tag} !~ /^(div|action)$/;
    }
    return (undef, { text => join("\n", @lines), buttons => \@buttons });
}

sub refuse { my ($self, $number, $word) = @_; $self->fault("$number $word"); return Chat::answer(400, { code => $number, msg => $word }) }

sub take {
    my ($self, $r, $body) = @_;
    if ($r->{path} eq '/open-apis/auth/v3/tenant_access_token/internal') {
        return $self->refuse(9499, 'not JSON') if ref $body ne 'HASH' || "app_id app_secret" ne join ' ', sort keys %$body;
        return $self->refuse(10014, 'app secret invalid') if $body->{app_id} ne 'cli_a1b2' || $body->{app_secret} ne $self->{app_secret};
        return Chat::answer(200, { code => 0, msg => 'ok', tenant_access_token => $self->keep(sub { $_[0]{logins}++; $_[0]{tenant_token} // $self->{tenant_token} }), expire => 7200 });
    }
    $r->{path} =~ m{^/open-apis/im/v1/messages(?:/(\w+))?(?:/(reply))?(?:\?receive_id_type=(\w+))?$} or return;
    my ($id, $reply, $kind) = ($1, $2, $3);
    my $token = $self->keep(sub { $_[0]{tenant_token} // $self->{tenant_token} });
    return Chat::answer(400, { code => 99991663, msg => 'Invalid access token' }) if $token ne $self->{tenant_token} && ($r->{headers}{authorization} // '') eq "Bearer $self->{tenant_token}";
    return $self->refuse(99991663, 'Invalid access token') if ($r->{headers}{authorization} // '') ne "Bearer $token";
    return $self->refuse(9499, 'not JSON') if ref $body ne 'HASH' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    my @may = $id && !$reply ? qw(content) : $reply ? qw(content msg_type uuid) : qw(content msg_type receive_id uuid);
    return $self->refuse(230001, 'fields: ' . join ' ', sort keys %$body) if "@may" ne join ' ', sort keys %$body;
    return $self->refuse(230001, 'msg_type or uuid') if exists $body->{uuid} && ($body->{msg_type} ne 'interactive' || !length $body->{uuid} || length $body->{uuid} > 50);
    return Chat::answer(429, { code => 99991400, msg => 'request trigger frequency limit' }, 'x-ogw-ratelimit-reset' => 1) if $self->too_many;
    return $self->refuse(230001, 'receive_id') if !$id && ($kind // '') ne ($body->{receive_id} =~ /^ou_/ ? 'open_id' : 'chat_id');
    my ($wrong, $m) = read_card($body->{content});
    return $self->refuse(split /: /, $wrong, 2) if $wrong;
    if ($id && !$reply) {
        return $self->refuse(230011, 'the message was withdrawn') if $r->{method} ne 'PATCH' || !$self->edit($id, $m);
        return Chat::answer(200, { code => 0, data => {} });
    }
    my ($same) = grep { ($_->{uuid} // '') eq $body->{uuid} } $self->messages;
    my $new = $same ? $same->{id} : 'om_' . Chat::random_hex(16);
    $self->add({ id => $new, uuid => $body->{uuid}, thread => $reply ? $id : undef, chat => $body->{receive_id}, %$m }) if !$same;
    return Chat::answer(200, { code => 0, data => { message_id => $new } });
}

# The tenant's token is another from now on, before its time; how often somebody has asked for one.
sub new_tenant_token { my ($self) = @_; return $self->keep(sub { $_[0]{tenant_token} = 't-' . Chat::random_hex(12) }) }
sub logins { my ($self) = @_; return $self->keep(sub { $_[0]{logins} // 0 }) }

# --- people ------------------------------------------------------------------------------------------------------

sub ids { my ($self, $who) = @_; my $id = $self->id($who); return { open_id => $id, user_id => "u$id", union_id => "on_$id" } }

# The body with that text in it, and the headers of it.
sub sealed {
    my ($key, $text) = @_;
    my $iv = pack 'H*', Chat::random_hex(16);
    return $Chat::json->encode({ encrypt => encode_base64($iv . Chat::aes_256_cbc(sha256($key), $iv, Chat::pad($text, 16)), '') });
}

sub signed {
    my ($key, $content, $at) = @_;
    $at //= time;
    my $nonce = Chat::random_hex(5);
    return { 'Content-Type' => 'application/json; charset=utf-8', 'X-Lark-Request-Timestamp' => $at, 'X-Lark-Request-Nonce' => $nonce,
        'X-Lark-Signature' => sha256_hex($at . $nonce . $key . $content) };
}

sub send_event {
    my ($self, $who, $type, $event, %opt) = @_;
    my $text = $Chat::json->encode({ schema => '2.0', header => { event_id => $self->fresh, token => $self->{verification}, event_type => $type,
        create_time => time * 1000 . '', app_id => 'cli_a1b2', tenant_key => 'tk' }, event => $event });
    my $content = sealed($self->{encrypt_key}, $text);
    return $self->deliver(signed($opt{secret} // $self->{encrypt_key}, $content, $opt{at}), $content, who => $who, %opt);
}

sub type {
    my ($self, $who, $text, %opt) = @_;
    my $content = JSON::PP->new->encode({ text => "\@_user_1 $text" });
    return $self->send_event($who, 'im.message.receive_v1', { sender => { sender_id => $self->ids($who), sender_type => 'user', tenant_key => 'tk' },
        message => { message_id => 'om_' . $self->fresh, create_time => time * 1000 . '', chat_id => $ROOM, chat_type => 'group',
            message_type => 'text', content => $content, mentions => [ { key => '@_user_1', id => { open_id => 'ou_das' }, name => 'das' } ] } },
        what => 'command', %opt);
}

sub press {
    my ($self, $who, $message, $label, %opt) = @_;
    my $b = $self->button($message, $label);
    return $self->send_event($who, 'card.action.trigger', { operator => { %{ $self->ids($who) }, tenant_key => 'tk' }, token => 'c-' . Chat::random_hex(16),
        action => { tag => 'button', value => $opt{value} ? { das => $opt{value} } : $b->{value} }, host => 'im_message',
        context => { open_message_id => $message->{id}, open_chat_id => $opt{chat} // $ROOM } }, what => 'press', %opt);
}

# The platform's own question whether das is who was configured; unsigned, as it sends it.
sub ask_who {
    my ($self, %opt) = @_;
    my $text = $Chat::json->encode({ type => 'url_verification', token => $opt{token} // $self->{verification}, challenge => 'c-7d1' });
    return $self->deliver({ 'Content-Type' => 'application/json' }, sealed($self->{encrypt_key}, $text), what => 'question');
}

sub shown {
    my ($self, $said, %opt) = @_;
    return if ref $said->{json} ne 'HASH' || !$said->{json}{toast};
    $self->fault('a toast in an answer to a message') if $opt{what} ne 'press';
    return $said->{json}{toast}{content};
}

1;
