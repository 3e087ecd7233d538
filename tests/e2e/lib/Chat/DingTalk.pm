# DingTalk.pm - DingTalk: a custom robot that das sends to, an app's robot that people write to, and the session webhook
# where answers go. Nothing comes back from a message: no buttons.
package Chat::DingTalk;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64;

sub set_up {
    my ($self) = @_;
    $self->{robot_secret} = 'SEC' . Chat::random_hex(32);
    $self->{app_secret} = Chat::random_hex(32);
    $self->{access} = Chat::random_hex(32);
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'dingtalk', url = " . $self->place(url => "$self->{url}/robot/send?access_token=$self->{access}") . ', secret = '
        . $self->place(robot_secret => $self->{robot_secret}) . ', insecure = true, rate = 6000 }';
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'dingtalk', path = '$self->{path}', verify = { secrets = " . $self->place(app_secret => $self->{app_secret})
        . " }, insecure = true, reply_hosts = { '127.0.0.1:$self->{web}{port}' }, channel = 'dingtalk', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

sub signed { my ($key, $stamp) = @_; return encode_base64(hmac_sha256("$stamp\n$key", $key), '') }

sub refuse { my ($self, $number, $word) = @_; $self->fault("$number $word"); return Chat::answer(200, { errcode => $number, errmsg => $word }) }

sub take {
    my ($self, $r, $body) = @_;
    my ($session) = $r->{path} =~ m{^/robot/sendBySession\?session=(\w+)$};
    return $self->take_message($r, $body, $self->keep(sub { $_[0]{places}{$session} })) if $session;
    my ($access, $stamp, $sign) = $r->{path} =~ m{^/robot/send\?access_token=(\w+)&timestamp=(\d+)&sign=([^&]+)$} or return;
    $sign =~ s/%(..)/chr hex $1/ge;
    return $self->refuse(300001, 'token is not exist') if $access ne $self->{access};
    return $self->refuse(310000, 'sign not match') if abs(time * 1000 - $stamp) > 3600000 || $sign ne signed($self->{robot_secret}, $stamp);
    return $self->take_message($r, $body, {});
}

sub take_message {
    my ($self, $r, $body, $place) = @_;
    return $self->refuse(300001, 'session webhook is expired') if !$place || ($place->{until} && time * 1000 > $place->{until});
    return $self->refuse(460101, 'message too long, exceed 20000 bytes') if length $r->{body} > 20000;
    return $self->refuse(40035, 'no markdown') if ref $body ne 'HASH' || $body->{msgtype} ne 'markdown' || !length $body->{markdown}{title};
    # too many in a minute: the platform takes none for ten, so this is said only to answers, which are tried again at once
    return Chat::answer(429, { errcode => 130101, errmsg => 'send too fast' }, 'Retry-After' => 1) if $place->{until} && $self->too_many;
    return $self->refuse(0, '@all') if $body->{at}{isAtAll} || $body->{markdown}{text} =~ /\@(?:all|所有人)/;
    my $text = $body->{markdown}{text};
    $text =~ s/\n\n/\n/g;
    $self->add({ id => 'd' . Chat::random_hex(8), text => $text });
    return Chat::answer(200, { errcode => 0, errmsg => 'ok' });
}

# --- people ------------------------------------------------------------------------------------------------------

sub type {
    my ($self, $who, $text, %opt) = @_;
    my $now = $opt{at} // int(time * 1000) + ++$self->{sent} % 1000;
    my $session = Chat::random_hex(12);
    my $until = (time + ($opt{lives} // 5400)) * 1000;
    $self->keep(sub { $_[0]{places}{$session} = { until => $until } });
    my $body = $opt{body} // $Chat::json->encode({ msgtype => 'text', text => { content => " $text" }, msgId => 'msg' . $self->fresh, createAt => $now,
        conversationType => '2', conversationId => 'cid1', senderId => '$:LWCP_v1:$' . $who, senderStaffId => $self->id($who),
        senderNick => $opt{display} // $who, isAdmin => JSON::PP::true, chatbotUserId => '$:LWCP_v1:$bot',
        sessionWebhook => "$self->{url}/robot/sendBySession?session=$session", sessionWebhookExpiredTime => $until });
    return $self->deliver({ 'Content-Type' => 'application/json; charset=utf-8', timestamp => $now,
        sign => $opt{sign} // signed($opt{secret} // $self->{app_secret}, $now) }, $body, who => $who, %opt);
}

sub shown {
    my ($self, $said) = @_;
    return if ref $said->{json} ne 'HASH' || ($said->{json}{msgtype} // 'empty') eq 'empty';
    return $said->{json}{text}{content} // $said->{body};
}

1;
