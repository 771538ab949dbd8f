# name: Emacs message.el
# package: emacs-nox
# as: alice
# to: you@example.org cc@example.org hidden@example.org
cat >m.el <<'E'
(require 'message)
(setq send-mail-function 'sendmail-send-it message-send-mail-function 'message-send-mail-with-sendmail mail-host-address "web1.example"
      user-mail-address "alice@web1.example" message-interactive t)
(message-mail "you@example.org" "Grüße")
(message-goto-cc) (insert "cc@example.org")
(message-goto-bcc) (insert "hidden@example.org")
(message-goto-body) (insert "Grüße\n.\n..\n")
(message-send)
E
emacs --batch -l m.el 2>/dev/null
