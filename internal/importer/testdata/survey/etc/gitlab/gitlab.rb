gitlab_rails['smtp_address'] = "smtp.example.org"
gitlab_rails['smtp_password'] = "Hunter2"
