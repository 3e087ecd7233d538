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
    return $self->refuse(40035, 'not JSON') if $r->{method} ne 'POST' || ref $body ne 'HASH' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    if ($r->{path} =~ m{^/robot/sendBySession\?session=(\w+)$}) {
        my $session = $self->use_place($1, 20);
        return $session ? $self->take_message($r, $body, 1) : Chat::answer(200, { errcode => 300001, errmsg => 'session webhook is expired' });
    }
    my ($access, $stamp, $sign) = $r->{path} =~ m{^/robot/send\?access_token=(\w+)&timestamp=(\d{13})&sign=([A-Za-z0-9%]+)$} or return;
    $sign =~ s/%(..)/chr hex $1/ge;
    return $self->refuse(300001, 'token is not exist') if $access ne $self->{access};
    return $self->refuse(310000, 'sign not match') if abs(time * 1000 - $stamp) > 3600000 || $sign ne signed($self->{robot_secret}, $stamp);
    return $self->take_message($r, $body, 0);
}

my %KNOWN = map { $_ => 1 } qw(msgtype markdown at);

sub take_message {
    my ($self, $r, $body, $is_answer) = @_;
    return $self->refuse(460101, 'message too long, exceed 20000 bytes') if length $r->{body} > 20000;
    my ($other) = grep { !$KNOWN{$_} } sort keys %$body;
    return $self->refuse(40035, "a field that has no place here: $other") if $other;
    my ($title, $text) = @{ $body->{markdown} // {} }{qw(title text)};
    return $self->refuse(40035, 'no markdown with title and text') if ($body->{msgtype} // '') ne 'markdown' || !length($title // '') || !length($text // '');
    # too many in a minute: the platform takes none for ten, so this is said only to answers, which are tried again at once
    my $wait = $is_answer && $self->too_many;
    return Chat::answer(429, { errcode => 130101, errmsg => 'send too fast' }, 'Retry-After' => $wait) if $wait;
    my $wrong = $body->{at}{isAtAll} ? 'a mention of all' : Chat::markup_of_markdown($text);
    return $self->refuse(40035, $wrong) if $wrong;
    $text =~ s/\n\n/\n/g;
    $self->add({ id => 'd' . Chat::random_hex(8), text => $text, answer => $is_answer });
    return Chat::answer(200, { errcode => 0, errmsg => 'ok' });
}

# --- people ------------------------------------------------------------------------------------------------------

sub type {
    my ($self, $who, $text, %opt) = @_;
    my $now = $opt{at} // int(time * 1000) + ++$self->{sent} % 1000;
    my $life = $opt{lives} // 5400;
    my $session = $self->new_place(undef, $life);
    my $until = (time + $life) * 1000;
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
