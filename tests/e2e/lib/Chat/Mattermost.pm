# Mattermost.pm - Mattermost: an incoming webhook with buttons that call back, slash commands with a token, and response_url.
# Nothing is signed there, and a webhook's messages are not edited.
package Chat::Mattermost;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use Digest::SHA qw(hmac_sha256_hex);

my $ROOM = 'c7q4k8w3b1r5d9n2m6x0z';

sub set_up {
    my ($self) = @_;
    $self->{token} = Chat::random_hex(13);
    $self->{webhook} = Chat::random_hex(13);
}

sub edits { return 0 }
sub knows_time { return 0 }

sub callback { my ($self) = @_; return ($self->{das} // 'http://127.0.0.1:9') . $self->{path} }

sub channel {
    my ($self) = @_;
    return "{ kind = 'mattermost', url = " . $self->place(url => "$self->{url}/hooks/$self->{webhook}") . ', secret = ' . $self->place(token => $self->{token})
        . ", callback = '@{[$self->callback]}', insecure = true, rate = 6000 }";
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'mattermost', path = '$self->{path}', verify = { tokens = " . $self->place(token => $self->{token})
        . " }, reply_hosts = { '127.0.0.1:$self->{web}{port}' }, insecure = true, channel = 'mattermost', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

# What people see of Markdown, or what is wrong with it.
sub read_markdown {
    my ($text) = @_;
    my $outside = $text =~ s/```.*?```//gsr;
    return (undef, "a mention: $1") if $outside =~ /(\@\w+)/;
    return (undef, "a link: $1") if $outside =~ /(?<!\\)(\[[^\]]*(?<!\\)\]\()/;
    return (undef, 'a block that is not closed') if (() = $text =~ /```/g) % 2;
    return ($text =~ s/\\([^A-Za-z0-9\s])/$1/gr);
}

sub read_action {
    my ($self, $a) = @_;
    my $call = $a->{integration};
    return (undef, 'an id of other characters') if ($a->{id} // '') !~ /^[A-Za-z0-9]+$/;
    return (undef, 'an action without a name') if !length($a->{name} // '');
    return (undef, 'a style that is none') if ($a->{style} // 'default') !~ /^(?:default|primary|success|good|warning|danger)$/;
    return (undef, 'an action that calls nobody') if ref $call ne 'HASH' || ref $call->{context} ne 'HASH' || ($call->{url} // '') ne $self->callback;
    return (undef, 'a context that anybody could have made') if ($call->{context}{sign} // '') ne hmac_sha256_hex("das.button:$call->{context}{value}", $self->{token});
    return { label => $a->{name}, value => $call->{context}{value}, context => $call->{context} };
}

my %KNOWN = map { $_ => 1 } qw(channel attachments response_type text);
my %PARTS = map { $_ => 1 } qw(fallback color pretext text title title_link fields actions);

sub read_post {
    my ($self, $body) = @_;
    my (@lines, @buttons);
    return ('not JSON') if ref $body ne 'HASH';
    for my $key (sort keys %$body) { return ("a field that has no place here: $key") if !$KNOWN{$key} }
    return ('empty') if !length($body->{text} // '') && !@{ $body->{attachments} || [] };
    push @lines, $body->{text} if length($body->{text} // '');
    for my $a (@{ $body->{attachments} || [] }) {
        for my $key (sort keys %$a) { return ("a part of an attachment that is none: $key") if !$PARTS{$key} }
        return ('no fallback') if !length($a->{fallback} // '');
        return ('a color that is none') if defined $a->{color} && $a->{color} !~ /^#[0-9a-f]{6}$/i;
        return ('a link that is none') if defined $a->{title_link} && $a->{title_link} !~ m{^https?://\S+$};
        return ('a field without short, title or value') if grep { ref $_->{short} ne 'JSON::PP::Boolean' || !defined $_->{title} || !defined $_->{value} } @{ $a->{fields} || [] };
        for my $t (grep { defined } @$a{qw(title text)}, map { "$_->{title} $_->{value}" } @{ $a->{fields} || [] }) {
            my ($seen, $wrong) = read_markdown($t);
            return ($wrong) if $wrong;
            push @lines, $seen;
        }
        for my $x (@{ $a->{actions} || [] }) {
            my ($button, $wrong) = $self->read_action($x);
            return ($wrong) if $wrong;
            push @buttons, $button;
        }
    }
    my $text = join "\n", @lines;
    return ('longer than a post: ' . length $text) if length $text > 16383;
    return (undef, { text => $text, buttons => \@buttons });
}

sub refuse { my ($self, $status, $words) = @_; $self->fault($words); return Chat::answer($status, { id => 'api.error', message => $words, status_code => $status }) }

sub take {
    my ($self, $r, $body) = @_;
    return $self->refuse(400, 'not POST, or not JSON') if $r->{method} ne 'POST' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    return $self->take_response($1, $body) if $r->{path} =~ m{^/hooks/commands/(\w+)$};
    my ($id) = $r->{path} =~ m{^/hooks/(\w+)$} or return;
    return $self->refuse(400, 'Invalid webhook') if $id ne $self->{webhook};
    return Chat::answer(429, { message => 'limit exceeded' }, 'Retry-After' => 1) if $self->too_many;
    return $self->refuse(400, 'an answer to a command, where there is none') if defined $body->{response_type};
    my ($wrong, $m) = $self->read_post($body);
    return $self->refuse(400, $wrong) if $wrong;
    $self->add({ id => 'p' . Chat::random_hex(8), %$m });
    return [ 200, { 'Content-Type' => 'text/plain' }, 'ok' ];
}

sub take_response {
    my ($self, $id, $body) = @_;
    my $place = $self->use_place($id, 5) or return [ 404, {}, '' ];
    my ($wrong, $m) = $self->read_post($body);
    $wrong //= 'response_type' if ($body->{response_type} // '') !~ /^(?:ephemeral|in_channel)$/;
    return $self->refuse(400, "response_url: $wrong") if $wrong;
    $self->add({ %$m, id => "r$id.$place->{uses}", $body->{response_type} eq 'in_channel' ? () : (only => $place->{who}) });
    return Chat::answer(200, { status => 'OK' });
}

# --- people ------------------------------------------------------------------------------------------------------

sub type {
    my ($self, $who, $text, %opt) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    my $place = $self->new_place($who, 1800);
    return $self->deliver({ 'Content-Type' => 'application/x-www-form-urlencoded', Authorization => "Token $self->{token}" }, Chat::form([ channel_id => $ROOM ],
        [ channel_name => 'dba' ], [ command => '/das' ], [ response_url => "$self->{url}/hooks/commands/$place" ], [ team_domain => 'example' ], [ team_id => 't1' ],
        [ text => $text ], [ token => $opt{secret} // $self->{token} ], [ trigger_id => $self->fresh ], [ user_id => $self->id($who) ], [ user_name => $opt{display} // $who ]),
        who => $who, what => 'command', %opt);
}

sub press {
    my ($self, $who, $message, $label, %opt) = @_;
    my $b = $self->button($message, $label);
    my $value = $opt{value} // $b->{value};
    my $context = $opt{secret} ? { value => $value, sign => hmac_sha256_hex("das.button:$value", $opt{secret}) } : { %{ $b->{context} }, value => $value };
    my $content = $Chat::json->encode({ user_id => $self->id($who), user_name => $opt{display} // $who, channel_id => $opt{chat} // $ROOM, channel_name => 'dba',
        team_id => 't1', team_domain => 'example', post_id => $message->{id}, trigger_id => $self->fresh, type => 'button', data_source => '', context => $context });
    return $self->deliver({ 'Content-Type' => 'application/json' }, $content, who => $who, what => 'press', %opt);
}

sub shown {
    my ($self, $said, %opt) = @_;
    my $j = $said->{json};
    $self->fault("answer: $said->{body}"), return if ref $j ne 'HASH';
    return $j->{ephemeral_text} if $opt{what} eq 'press';
    my ($wrong, $m) = $self->read_post($j);
    $wrong //= 'response_type' if ($j->{response_type} // '') ne 'ephemeral';
    $self->fault("answer: $wrong") if $wrong;
    return $m && $m->{text};
}

1;
