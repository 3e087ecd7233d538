# WeCom.pm - WeCom: a group robot that das sends to, and an app whose callbacks are encrypted XML. Nothing comes back from
# a message of the robot: no buttons.
package Chat::WeCom;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use Digest::SHA qw(sha1_hex);
use MIME::Base64;

my $CORP = 'ww1a2b3c4d5e6f7a8b';

sub set_up {
    my ($self) = @_;
    $self->{robot} = join '-', map { Chat::random_hex($_) } 4, 2, 2, 2, 6;
    $self->{verification} = Chat::random_hex(12);
    my $raw = pack 'H*', Chat::random_hex(32);
    ($self->{aes_key}) = encode_base64($raw, '') =~ /^(.{43})=$/;
    return $self->set_up if $self->{aes_key} =~ m{[+/]};    # the platform draws letters and digits
    $self->{raw_key} = unpack 'H*', $raw;
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'wecom', url = " . $self->place(url => "$self->{url}/cgi-bin/webhook/send?key=$self->{robot}") . ', insecure = true, rate = 6000 }';
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'wecom', path = '$self->{path}', verify = { tokens = " . $self->place(verification => $self->{verification})
        . ', encrypt_keys = ' . $self->place(aes_key => $self->{aes_key}) . ", receive_id = '$CORP' }, channel = 'wecom', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

sub refuse { my ($self, $number, $word) = @_; $self->fault("$number $word"); return Chat::answer(200, { errcode => $number, errmsg => $word }) }

sub take {
    my ($self, $r, $body) = @_;
    my ($key) = $r->{path} =~ m{^/cgi-bin/webhook/send\?key=([^&]+)$} or return;
    return $self->refuse(93000, 'invalid webhook url') if $key ne $self->{robot};
    return Chat::answer(429, { errcode => 45033, errmsg => 'api concurrent out of limit' }, 'Retry-After' => 1) if $self->too_many;
    return $self->refuse(40035, 'not JSON') if $r->{method} ne 'POST' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    my $text = ref $body eq 'HASH' && ($body->{msgtype} // '') eq 'markdown' ? $body->{markdown}{content} : undef;
    return $self->refuse(40008, 'invalid message type') if !length($text // '');
    my $bytes = $text;
    utf8::encode($bytes);
    return $self->refuse(40058, 'markdown.content exceed max length 4096') if length $bytes > 4096;
    my ($other) = grep { !/^(?:msgtype|markdown)$/ } sort keys %$body;
    return $self->refuse(40035, "a field that has no place here: $other") if $other;
    my $wrong = Chat::markup_of_markdown($text);
    return $self->refuse(40035, $wrong) if $wrong;
    $self->add({ id => 'w' . Chat::random_hex(8), text => $text });
    return Chat::answer(200, { errcode => 0, errmsg => 'ok' });
}

# --- people ------------------------------------------------------------------------------------------------------

sub sealed {
    my ($self, $message, $corp) = @_;
    my $raw = pack 'H*', $self->{raw_key};
    my $text = pack('H*', Chat::random_hex(16)) . pack('N', length $message) . $message . ($corp // $CORP);
    return encode_base64(Chat::aes_256_cbc($raw, substr($raw, 0, 16), Chat::pad($text, 32)), '');
}

sub query {
    my ($self, $encrypted, %opt) = @_;
    my ($now, $nonce) = ($opt{at} // time, $self->fresh);
    my $sign = sha1_hex(join '', sort $opt{secret} // $self->{verification}, $now, $nonce, $encrypted);
    return '?' . Chat::form([ msg_signature => $sign ], [ timestamp => $now ], [ nonce => $nonce ], $opt{echo} ? [ echostr => $encrypted ] : ());
}

# The question when the address is configured: das says what is in it.
sub ask_who {
    my ($self) = @_;
    my $encrypted = $self->sealed('echo 4711');
    return $self->deliver({}, '', method => 'GET', query => $self->query($encrypted, echo => 1), what => 'question');
}

sub type {
    my ($self, $who, $text, %opt) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    my $inner = "<xml><ToUserName><![CDATA[$CORP]]></ToUserName><FromUserName><![CDATA[@{[$self->id($who)]}]]></FromUserName><CreateTime>@{[time]}</CreateTime>"
        . "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[$text]]></Content><MsgId>" . $self->fresh . '</MsgId><AgentID>1000002</AgentID></xml>';
    my $encrypted = $self->sealed($inner, $opt{corp});
    my $content = "<xml><ToUserName><![CDATA[$CORP]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID><Encrypt><![CDATA[$encrypted]]></Encrypt></xml>";
    return $self->deliver({ 'Content-Type' => 'text/xml' }, $content, who => $who, query => $self->query($encrypted, %opt), %opt);
}

# A passive answer would be encrypted XML; das gives an empty one, and sends the result by the robot. The question is answered
# in plain text.
sub shown {
    my ($self, $said, %opt) = @_;
    $self->fault("answer: $said->{body}") if length $said->{body} && ($opt{what} // '') ne 'question';
    return;
}

1;
