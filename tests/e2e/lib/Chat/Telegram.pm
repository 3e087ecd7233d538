# Telegram.pm - Telegram: a bot that das sends with and edits, and its webhook with commands and buttons.
package Chat::Telegram;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;

sub knows_time { return 0 }

my $ROOM = -1001234567890;

sub set_up {
    my ($self) = @_;
    $self->{token} = '42:' . Chat::random_hex(16);
    $self->{secret} = Chat::random_hex(16);
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'telegram', token = " . $self->place(token => $self->{token}) . ", channel = '$ROOM', endpoint = '$self->{url}', insecure = true, rate = 6000 }";
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'telegram', path = '$self->{path}', verify = { tokens = " . $self->place(secret => $self->{secret}) . " }, channel = 'telegram', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

sub refuse { my ($self, $word) = @_; $self->fault($word); return Chat::answer(400, { ok => JSON::PP::false, error_code => 400, description => "Bad Request: $word" }) }

# What people see of HTML, or what is wrong with it.
sub read_html {
    my ($html) = @_;
    my ($text, @open) = ('');
    while ($html =~ /\G(?:<(\/?)(b|pre|code|a|i)((?: href="[^"<>]*")?)>|&(amp|lt|gt|quot);|([^<>&]+))/gc) {
        if (defined $5) { $text .= $5; next }
        if ($4) { $text .= { amp => '&', lt => '<', gt => '>', quot => '"' }->{$4}; next }
        if (!$1) { push @open, $2; $text .= "$3 " if $3; next }
        return (undef, "can't parse entities: $2 is not open") if !@open || pop @open ne $2;
    }
    return (undef, "can't parse entities at " . substr $html, pos($html) // 0, 20) if (pos($html) // 0) < length $html || @open;
    return (undef, 'message is too long') if length $text > 4096;
    return ($text);
}

sub take {
    my ($self, $r, $body) = @_;
    my ($token, $method) = $r->{path} =~ m{^/bot(42:\w+)/(sendMessage|editMessageText)$} or return;
    return Chat::answer(401, { ok => JSON::PP::false, error_code => 401, description => 'Unauthorized' . ($self->fault('token') || '') }) if $token ne $self->{token};
    return Chat::answer(429, { ok => JSON::PP::false, error_code => 429, description => 'Too Many Requests', parameters => { retry_after => 1 } }) if $self->too_many;
    return $self->refuse('not JSON') if $r->{method} ne 'POST' || ref $body ne 'HASH' || ($r->{headers}{'content-type'} // '') !~ m{^application/json};
    my %known = map { $_ => 1 } qw(chat_id text parse_mode link_preview_options reply_markup), $method eq 'sendMessage' ? 'reply_parameters' : 'message_id';
    my ($other) = grep { !$known{$_} } sort keys %$body;
    return $self->refuse("a field that has no place here: $other") if $other;
    return $self->refuse('message text is empty') if !length($body->{text} // '');
    return $self->refuse('message_id is no number') if exists $body->{message_id} && $body->{message_id} !~ /^\d+$/;
    return $self->refuse('message to be replied not found') if $body->{reply_parameters} && !$self->find($body->{reply_parameters}{message_id});
    return $self->refuse('chat not found') if "$body->{chat_id}" !~ /^-?\d+$/;
    my ($text, $wrong) = ($body->{parse_mode} // '') eq 'HTML' ? read_html($body->{text}) : ($body->{text});
    return $self->refuse($wrong) if $wrong;
    my @buttons = map { { label => $_->{text}, value => $_->{callback_data} } } map { @$_ } @{ ($body->{reply_markup} || {})->{inline_keyboard} || [] };
    return $self->refuse('BUTTON_DATA_INVALID') if grep { length $_->{value} > 64 || !length $_->{value} || !length $_->{label} } @buttons;
    my $id = $body->{message_id};
    if ($method eq 'editMessageText') {
        my $old = $self->find($id) or return $self->refuse('message to edit not found');
        return $self->refuse('message is not modified') if $old->{text} eq $text && @buttons == @{ $old->{buttons} };
        $self->edit($id, { text => $text, buttons => \@buttons });
    }
    else {
        $id = 100 + $self->so_far;
        $self->add({ id => $id, chat => $body->{chat_id}, text => $text, buttons => \@buttons, thread => $body->{reply_parameters}{message_id} });
    }
    return Chat::answer(200, { ok => JSON::PP::true, result => { message_id => $id + 0 } });
}

# --- people ------------------------------------------------------------------------------------------------------

sub send_update {
    my ($self, $who, $what, %opt) = @_;
    my $content = $Chat::json->encode({ update_id => 1 + int(time) % 100000 * 1000 + ++$self->{updates}, %$what });
    return $self->deliver({ 'Content-Type' => 'application/json', 'X-Telegram-Bot-Api-Secret-Token' => $opt{secret} // $self->{secret} }, $content, who => $who, %opt);
}

sub from { my ($self, $who, %opt) = @_; return { id => $self->id($who) + 0, is_bot => JSON::PP::false, first_name => $opt{display} // $who, username => $who } }

sub type {
    my ($self, $who, $text, %opt) = @_;
    return $self->send_update($who, { message => { message_id => 100 + $self->so_far, date => time, from => $self->from($who, %opt),
        chat => { id => $ROOM, type => 'supergroup' }, text => "/das\@das_bot $text" } }, what => 'command', %opt);
}

sub press {
    my ($self, $who, $message, $label, %opt) = @_;
    my $b = $self->button($message, $label);
    my $query = $self->fresh;
    return $self->send_update($who, { callback_query => { id => $query, from => $self->from($who, %opt), chat_instance => '1',
        data => $opt{value} // $b->{value}, message => { message_id => $message->{id} + 0, chat => { id => $opt{chat} // $ROOM, type => 'supergroup' } } } },
        what => 'press', query => $query, %opt);
}

# Who presses waits until the press is answered, by its id and no other.
sub shown {
    my ($self, $said, %opt) = @_;
    my $j = $said->{json};
    $self->fault('a press that is not answered') if $opt{what} eq 'press' && (ref $j ne 'HASH' || ($j->{callback_query_id} // '') ne $opt{query});
    return if ref $j ne 'HASH' || !$j->{method};
    $self->fault("an answer that calls $j->{method}") if $j->{method} ne 'answerCallbackQuery' || $opt{what} ne 'press';
    $self->fault('a callback text of ' . length $j->{text}) if length($j->{text} // '') > 200;
    return $j->{text};
}

1;
