# HookSender.pm - requests as chats and alerts send them, signed by other code than ours: Digest::SHA, and the openssl program for
# what is encrypted. Each gives [path's query, headers, body] for send().
#
#   my $r = HookSender::post($serve, '/hooks/slack', HookSender::slack($secret, user_id => 'U1', text => 'preview orders'));
#   is($r->{status}, 200);
package HookSender;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256 sha256_hex);
use HTTP::Tiny;
use JSON::PP;
use MIME::Base64;

my $json = JSON::PP->new->utf8->canonical;
my $count = 0;
my $run = time . ".$$";
sub unique { return "$run." . ++$count }

sub post {
    my ($serve, $path, $sent, %opt) = @_;
    my ($headers, $body) = @$sent;
    my $r = HTTP::Tiny->new(timeout => 30)->request($opt{method} || 'POST', $serve->base . $path . ($opt{query} // ''),
        { headers => $headers, content => $body });
    $r->{json} = eval { $json->decode($r->{content}) };
    return $r;
}

sub form { my (%f) = @_; return join '&', map { my $v = $f{$_}; utf8::encode($v) if utf8::is_utf8($v); $v =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge; "$_=$v" } sort keys %f }

sub slack_signed {
    my ($secret, $body, $type, $at) = @_;
    $at //= time;
    return [ { 'Content-Type' => $type, 'X-Slack-Request-Timestamp' => $at,
        'X-Slack-Signature' => 'v0=' . hmac_sha256_hex("v0:$at:$body", $secret) }, $body ];
}
sub slack {
    my ($secret, %f) = @_;
    return slack_signed($secret, form(command => '/das', channel_id => 'C1', trigger_id => unique(), %f), 'application/x-www-form-urlencoded', delete $f{at});
}
sub slack_button {
    my ($secret, $user, $value, $url) = @_;
    my $payload = { type => 'block_actions', trigger_id => unique(), user => { id => $user, name => 'boss' }, channel => { id => 'C1' },
        response_url => $url, actions => [ { type => 'button', action_id => 'das:0', block_id => 'das', value => $value } ] };
    return slack_signed($secret, form(payload => $json->encode($payload)), 'application/x-www-form-urlencoded');
}

sub aes {
    my ($key, $text) = @_;
    my $iv = substr sha256(unique()), 0, 16;
    require IPC::Open2;
    my $pid = IPC::Open2::open2(my $out, my $in, 'openssl', 'enc', '-aes-256-cbc', '-K', unpack('H*', sha256($key)), '-iv', unpack('H*', $iv));
    binmode $_ for $in, $out;
    print $in $text;
    close $in;
    my $cipher = do { local $/; <$out> };
    waitpid $pid, 0;
    return encode_base64($iv . $cipher, '');
}
sub feishu_event {
    my ($o, $event_type, $event) = @_;
    my $plain = $json->encode({ schema => '2.0', header => { event_id => unique(), event_type => $event_type, token => $o->{token} }, event => $event });
    my $body = $json->encode({ encrypt => aes($o->{key}, $plain) });
    my ($at, $nonce) = (time, unique());
    return [ { 'Content-Type' => 'application/json', 'X-Lark-Request-Timestamp' => $at, 'X-Lark-Request-Nonce' => $nonce,
        'X-Lark-Signature' => sha256_hex($at . $nonce . $o->{key} . $body) }, $body ];
}
sub feishu {
    my ($o, $user, $text) = @_;
    return feishu_event($o, 'im.message.receive_v1', { sender => { sender_type => 'user', sender_id => { open_id => $user } },
        message => { message_id => 'om_' . unique(), chat_id => 'oc_chat1', message_type => 'text', content => $json->encode({ text => "\@_user_1 $text" }) } });
}

sub dingtalk {
    my ($secret, $user, $text, $webhook, %f) = @_;
    my $at = int(time * 1000) + ++$count % 1000;
    my $body = $json->encode({ msgtype => 'text', text => { content => " $text" }, msgId => 'msg' . unique(), createAt => $at, conversationType => '2',
        conversationId => 'cid1', senderId => '$:x', senderStaffId => $user, senderNick => 'boss', isAdmin => JSON::PP::true,
        sessionWebhook => $webhook, sessionWebhookExpiredTime => (time + 5400) * 1000, %f });
    return [ { 'Content-Type' => 'application/json', timestamp => $at, sign => encode_base64(hmac_sha256("$at\n$secret", $secret), '') }, $body ];
}

sub teams {
    my ($token, $user, $text) = @_;
    my $body = $json->encode({ type => 'message', id => unique(), text => "<at>das</at>&nbsp;$text", from => { id => '29:x', aadObjectId => $user, name => 'boss' },
        conversation => { id => '19:c' }, timestamp => sub { my @t = gmtime; sprintf '%04d-%02d-%02dT%02d:%02d:%02d.000Z', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0] }->() });
    return [ { 'Content-Type' => 'application/json', Authorization => 'HMAC ' . encode_base64(hmac_sha256($body, decode_base64($token)), '') }, $body ];
}

sub alertmanager {
    my ($token, $alerts, %f) = @_;
    return [ { 'Content-Type' => 'application/json', Authorization => "Bearer $token" },
        $json->encode({ version => '4', groupKey => '{}:{alertname="x"}', truncatedAlerts => 0, status => 'firing', receiver => 'das', groupLabels => {},
            commonLabels => {}, commonAnnotations => {}, externalURL => 'http://am', alerts => $alerts, %f }) ];
}

1;
